// Layout: numbers in the machine's own byte order, N elements.
//
//     offset               size      what
//     0                    8         N
//     8                    8 (N+1)   where each slot begins in the data, and where the last one ends: K
//     8 (N+2)              K         the slots
//     8 (N+2) + K          8 N       what is in each slot, as a format of Python's struct module, then 0
//     8 (N+2) + K + 8 N    N         what is made of that: Kind
//
//     value     format      Kind       in the slot
//     int       q           plain      8 bytes
//     float     d           plain      8 bytes
//     bool      xxxxxxx?    plain      0 or 1 in the last of 8 bytes
//     None      xxxxxx?x    none       8 zeros
//     str       24s         text       24 bytes, zeros at the end are padding
//     bytes     24s         bytes      the same
//     str …     5s0x        either     5 bytes, zeros at the end are its own
//
// The number before the s is the size of the slot, so that Python may put anything of that length there. The
// last row is ours: Python reads it too, as 5 bytes and no padding, and takes the whole slot again when it
// writes.
#include <chorus/shareable_list.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

namespace chorus::inline v0::multiprocessing {
namespace {

using Value = ShareableList::Value;

enum class Kind : signed char { plain = 0, text = 1, bytes = 2, none = 3 };

constexpr std::size_t word = 8;
static_assert(sizeof(std::int64_t) == word && sizeof(double) == word);

constexpr std::string_view int_format = "q";
constexpr std::string_view float_format = "d";
constexpr std::string_view bool_format = "xxxxxxx?";
constexpr std::string_view none_format = "xxxxxx?x";
constexpr std::string_view own_zeros = "s0x";

constexpr std::size_t bool_byte = 7;

// A format has 8 characters: 9999999s, 99999s0x.
constexpr std::size_t most_bytes = 9'999'999;
constexpr std::size_t most_bytes_with_zeros = 99'999;

struct Packed {
    std::string format;
    Kind kind = Kind::plain;
    std::string bytes;
};

std::string as_bytes(const auto& value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

// slot: the bytes that there are for it, or none if it decides.
Packed pack_text(std::string bytes, Kind kind, std::optional<std::size_t> slot) {
    if (bytes.size() > most_bytes) {
        throw UsageError("text or bytes of " + std::to_string(bytes.size()) +
                         " bytes are too long for a ShareableList: at most " + std::to_string(most_bytes) +
                         "; use SharedMemory for them");
    }
    if (slot && bytes.size() > *slot) {
        throw UsageError("text or bytes of " + std::to_string(bytes.size()) +
                         " bytes do not fit: the element has room for " + std::to_string(*slot) +
                         ", by its first value; begin with one that is as long as the longest");
    }
    if (!slot) slot = std::min(word * (bytes.size() / word + 1), most_bytes);
    if (bytes.empty() || bytes.back() != '\0')
        return {std::to_string(std::min(*slot, most_bytes)) + "s", kind, std::move(bytes)};
    if (bytes.size() > most_bytes_with_zeros) {
        throw UsageError("text or bytes of " + std::to_string(bytes.size()) +
                         " bytes with a zero at the end cannot be told from padding: only up to " +
                         std::to_string(most_bytes_with_zeros) +
                         " bytes; use SharedMemory, or put something behind the zeros");
    }
    return {std::to_string(bytes.size()) + std::string(own_zeros), kind, std::move(bytes)};
}

Packed pack(const Value& value, std::optional<std::size_t> slot) {
    struct Visitor {
        std::optional<std::size_t> slot;
        Packed operator()(std::nullptr_t) const {
            return {std::string(none_format), Kind::none, std::string(word, '\0')};
        }
        Packed operator()(bool value) const {
            std::string bytes(word, '\0');
            bytes[bool_byte] = static_cast<char>(value);
            return {std::string(bool_format), Kind::plain, bytes};
        }
        Packed operator()(std::int64_t value) const {
            return {std::string(int_format), Kind::plain, as_bytes(value)};
        }
        Packed operator()(double value) const {
            return {std::string(float_format), Kind::plain, as_bytes(value)};
        }
        Packed operator()(const std::string& value) const { return pack_text(value, Kind::text, slot); }
        Packed operator()(const std::vector<std::byte>& value) const {
            return pack_text({reinterpret_cast<const char*>(value.data()), value.size()}, Kind::bytes, slot);
        }
    };
    return std::visit(Visitor{slot}, value);
}

std::size_t slot_size(const Packed& packed) {
    const bool is_text = packed.kind == Kind::text || packed.kind == Kind::bytes;
    return is_text ? word * (packed.bytes.size() / word + 1) : word;
}

/// A list's block, taken apart. Other processes, well-meaning or not, may write there at any time: so each
/// number is copied first, then checked, then used.
class Layout {
public:
    Layout(std::span<std::byte> block, std::size_t size, std::size_t data_size)
        : block_(block), size_(size), data_size_(data_size) {}

    static std::size_t block_size(std::size_t size, std::size_t data_size) {
        return word * (size + 2) + data_size + word * size + size;
    }

    /// Throws: DecodeError if the block is too small for what it says it holds.
    static Layout of(std::span<std::byte> block) {
        const auto fail = [&](const std::string& what) {
            throw DecodeError("the shared memory holds no ShareableList: " + what + ", in a block of " +
                              std::to_string(block.size()) + " bytes; is it another's, or cut off?");
        };
        if (block.size() < block_size(0, 0)) fail("too short for one");
        const auto size = Layout(block, 0, 0).number(0);
        if (size < 0 ||
            static_cast<std::size_t>(size) > (block.size() - block_size(0, 0)) / block_size_of_element) {
            fail("it counts " + std::to_string(size) + " elements");
        }
        const auto count = static_cast<std::size_t>(size);
        const auto data_size = Layout(block, count, 0).number(word * (count + 1));
        if (data_size < 0 || static_cast<std::size_t>(data_size) > block.size() - block_size(count, 0)) {
            fail("its values have " + std::to_string(data_size) + " bytes");
        }
        return {block, count, static_cast<std::size_t>(data_size)};
    }

    std::size_t size() const { return size_; }
    std::size_t data_size() const { return data_size_; }

    std::span<std::byte> slot(std::size_t position) const {
        const auto begin = number(word * (position + 1));
        const auto end = number(word * (position + 2));
        if (begin < 0 || end < begin || static_cast<std::size_t>(end) > data_size_)
            damaged(position, "its place is no place in the list");
        return block_.subspan(word * (size_ + 2) + static_cast<std::size_t>(begin),
                              static_cast<std::size_t>(end - begin));
    }

    std::string format(std::size_t position) const {
        std::string format(word, '\0');
        std::memcpy(format.data(), format_place(position).data(), word);
        format.resize(format.find_last_not_of('\0') + 1);
        return format;
    }

    Kind kind(std::size_t position) const { return static_cast<Kind>(kind_place(position)); }

    void put_number(std::size_t offset, std::size_t value) const {
        std::memcpy(block_.data() + offset, &value, word);
    }

    void put(std::size_t position, const Packed& packed) const {
        const auto place = slot(position);
        if (packed.bytes.size() > place.size()) damaged(position, "it has less room than any value needs");
        std::memset(place.data(), 0, place.size());
        std::memcpy(place.data(), packed.bytes.data(), packed.bytes.size());
        std::memset(format_place(position).data(), 0, word);
        std::memcpy(format_place(position).data(), packed.format.data(), packed.format.size());
        kind_place(position) = static_cast<std::byte>(packed.kind);
    }

    Value get(std::size_t position) const {
        const std::string format = this->format(position);
        const auto place = slot(position);
        switch (kind(position)) {
            case Kind::plain: return plain(position, format, place);
            case Kind::none:
                if (format == none_format) return nullptr;
                break;
            case Kind::text: return text(position, format, place);
            case Kind::bytes: {
                const std::string bytes = text(position, format, place);
                const auto* const first = reinterpret_cast<const std::byte*>(bytes.data());
                return std::vector<std::byte>(first, first + bytes.size());
            }
        }
        damaged(position, "its format and its kind do not fit together");
    }

    [[noreturn]] static void damaged(std::size_t position, const std::string& what) {
        throw DecodeError("element " + std::to_string(position) + " of a ShareableList is damaged: " + what +
                          "; replace it, if the list is your own");
    }

private:
    static constexpr std::size_t block_size_of_element = word + word + 1;

    // Requires: offset + 8 lies in the block.
    std::int64_t number(std::size_t offset) const {
        std::int64_t value = 0;
        std::memcpy(&value, block_.data() + offset, word);
        return value;
    }
    std::span<std::byte> format_place(std::size_t position) const {
        return block_.subspan(word * (size_ + 2) + data_size_ + word * position, word);
    }
    std::byte& kind_place(std::size_t position) const {
        return block_[word * (size_ + 2) + data_size_ + word * size_ + position];
    }

    static Value plain(std::size_t position, const std::string& format, std::span<const std::byte> place) {
        if (place.size() < word) damaged(position, "it has less room than any value needs");
        if (format == bool_format) return place[bool_byte] != std::byte{0};
        if (format == int_format) {
            std::int64_t value = 0;
            std::memcpy(&value, place.data(), word);
            return value;
        }
        if (format != float_format) damaged(position, "it is of no known format");
        double value = 0;
        std::memcpy(&value, place.data(), word);
        return value;
    }

    static std::string text(std::size_t position, const std::string& format,
                            std::span<const std::byte> place) {
        std::size_t size = 0;
        const auto [rest, error] = std::from_chars(format.data(), format.data() + format.size(), size);
        const std::string_view unit(rest, static_cast<std::size_t>(format.data() + format.size() - rest));
        if (error != std::errc() || (unit != "s" && unit != own_zeros))
            damaged(position, "it is of no known format");
        if (size > place.size()) damaged(position, "it is longer than its room");
        std::string bytes(reinterpret_cast<const char*>(place.data()), size);
        if (unit == "s") bytes.resize(bytes.find_last_not_of('\0') + 1);
        return bytes;
    }

    std::span<std::byte> block_;
    std::size_t size_;
    std::size_t data_size_;
};

const char* type_name(const Value& value) {
    constexpr const char* names[] = {"nullptr", "bool",        "std::int64_t",
                                     "double",  "std::string", "std::vector<std::byte>"};
    return names[value.index()];
}

bool same_value(const Value& a, const Value& b) {
    // Wide enough for each int64 and each double, so that none is rounded.
    const auto number = [](const Value& value) -> std::optional<long double> {
        if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
        if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<long double>(*whole);
        if (const auto* real = std::get_if<double>(&value)) return *real;
        return std::nullopt;
    };
    if (a.index() == b.index()) return a == b;
    const auto left = number(a);
    const auto right = number(b);
    return left && right && *left == *right;
}

std::string in_quotes(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string quoted = "'";
    for (const char character : text) {
        const auto code = static_cast<unsigned char>(character);
        if (character == '\'' || character == '\\') {
            quoted += {'\\', character};
        } else if (code < 0x20 || code == 0x7f) {
            quoted += {'\\', 'x', digits[code >> 4], digits[code & 15]};
        } else {
            quoted += character;
        }
    }
    return quoted + "'";
}

std::string text_of(const Value& value) {
    struct Visitor {
        std::string operator()(std::nullptr_t) const { return "None"; }
        std::string operator()(bool value) const { return value ? "True" : "False"; }
        std::string operator()(std::int64_t value) const { return std::to_string(value); }
        std::string operator()(double value) const {
            char buffer[64];
            const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
            std::string text(buffer, end);
            // As Python does, so that it does not look like an int.
            if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
            return text;
        }
        std::string operator()(const std::string& value) const { return in_quotes(value); }
        std::string operator()(const std::vector<std::byte>& value) const {
            return "b" + in_quotes({reinterpret_cast<const char*>(value.data()), value.size()});
        }
    };
    return std::visit(Visitor{}, value);
}

}  // namespace

ShareableList::ShareableList(SharedMemory block) : shm_(std::move(block)) {
    const auto layout = Layout::of(shm_.buf());
    size_ = layout.size();
    data_size_ = layout.data_size();
}

SharedMemory ShareableList::create(std::span<const Value> values, const ShareableListOptions& options) {
    std::vector<Packed> all;
    std::size_t data_size = 0;
    for (const auto& value : values) {
        all.push_back(pack(value, std::nullopt));
        data_size += slot_size(all.back());
    }
    return SharedMemory(options.name, Layout::block_size(all.size(), data_size),
                        [&](std::span<std::byte> block) {
                            const Layout layout(block, all.size(), data_size);
                            layout.put_number(0, all.size());
                            std::size_t end = 0;
                            for (std::size_t i = 0; i < all.size(); ++i) {
                                end += slot_size(all[i]);
                                layout.put_number(word * (i + 2), end);
                                layout.put(i, all[i]);
                            }
                        });
}

std::size_t ShareableList::position(bool from_end, std::uintmax_t distance) const {
    if (from_end ? distance > size_ : distance >= size_) {
        throw UsageError("there is no element " + std::string(from_end ? "-" : "") +
                         std::to_string(distance) + " in a ShareableList of " + std::to_string(size_));
    }
    return from_end ? size_ - distance : distance;
}

Value ShareableList::get(std::size_t position) const {
    return Layout(shm_.buf(), size_, data_size_).get(position);
}

void ShareableList::set(std::size_t position, const Value& value) const {
    const Layout layout(shm_.buf(), size_, data_size_);
    layout.put(position, pack(value, layout.slot(position).size()));
}

std::size_t ShareableList::count(const Value& value) const {
    return static_cast<std::size_t>(
        std::count_if(begin(), end(), [&](const Value& each) { return same_value(each, value); }));
}

std::size_t ShareableList::index(const Value& value) const {
    for (std::size_t i = 0; i < size_; ++i) {
        if (same_value(get(i), value)) return i;
    }
    throw UsageError(text_of(value) + " is not in the ShareableList: ask count() first");
}

std::string ShareableList::format() const {
    const Layout layout(shm_.buf(), size_, data_size_);
    std::string all;
    for (std::size_t i = 0; i < size_; ++i) all += layout.format(i);
    return all;
}

std::ostream& operator<<(std::ostream& out, const ShareableList& list) {
    std::string text;
    for (const auto& value : list) text += (text.empty() ? "" : ", ") + text_of(value);
    return out << "ShareableList([" << text << "], name='" << list.shm().name() << "')";
}

bool ShareableList::Reference::equal(const Value& a, const Value& b) { return same_value(a, b); }

void ShareableList::Reference::refuse_type(const Value& value, const Value& wanted) const {
    throw UsageError("element " + std::to_string(position_) + " of the ShareableList is a " +
                     type_name(value) + ", not a " + type_name(wanted) +
                     ": ask for that, or look with is<T>() first");
}

std::ostream& operator<<(std::ostream& out, const ShareableList::Reference& element) {
    return out << text_of(element.get());
}

}  // namespace chorus::inline v0::multiprocessing

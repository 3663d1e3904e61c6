// How values become bytes and bytes become values: codecs, cereal, and the direct paths for numbers.
//
// Thread safety: pure functions over the given bytes.
#pragma once

#include <chorus/detail/contract.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <deque>
#include <list>
#include <string>
#include <type_traits>
#include <vector>

#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/atomic.hpp>
#include <cereal/types/bitset.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/forward_list.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#ifndef CHORUS_LIBRARY_ITSELF
// Not in the library's own sources, which write no smart pointers: it defines objects that are made before
// main in each of them, and that g++ marks unique in the process, where a program linked by clang's LTO does
// not find them.
#include <cereal/types/memory.hpp>
#endif
#include <cereal/types/optional.hpp>
#include <cereal/types/queue.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/stack.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <chorus/detail/message/aggregate.hpp>
#include <chorus/detail/message/bytes.hpp>
#include <chorus/detail/message/function_identity.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

template <class T>
struct codec;  // chorus/serialize.hpp

// Never defined: their names are what the compiler prints when a type does not travel.
struct pass_what_it_captures_as_arguments;
struct or_use_ForkProcess_which_takes_anything;
template <class Callable, class... WhatToDo>
struct capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process;
struct give_it_a_cereal_serialize_function;
struct or_make_it_an_aggregate_of_types_that_travel;
struct or_specialise_chorus_codec_for_it;
template <class Type, class... WaysToMakeItTravel>
struct type_cannot_travel_to_another_process;
template <class Type, class... WaysToMakeItTravel>
struct aggregate_with_more_than_32_fields_cannot_travel;
template <class Type, class... WaysToMakeItTravel>
struct type_without_default_constructor_cannot_travel;

namespace detail::message {

template <class T>
concept HasCodec = requires(Writer& out, Reader& in, const T& value) {
    codec<T>::write(out, value);
    { codec<T>::read(in) } -> std::same_as<T>;
};

template <class T>
concept FunctionPointer = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;

template <class T>
constexpr bool is_plain_number =
    (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) || std::is_same_v<T, std::byte>;
template <class T>
constexpr bool is_numbers_in_a_row = false;
template <class Number, class Allocator>
constexpr bool is_numbers_in_a_row<std::vector<Number, Allocator>> = is_plain_number<Number>;
template <class T>
constexpr bool is_fixed_row = false;
template <class Number, std::size_t count>
constexpr bool is_fixed_row<std::array<Number, count>> = is_plain_number<Number> && count != 0;

/// A number; or numbers in one piece of memory, written as their count and that piece. How long it is written
/// is known before, and it can be written straight to where it is going.
template <class T>
concept WrittenInOnePiece =
    !HasCodec<T> && (std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string> ||
                     is_numbers_in_a_row<T> || is_fixed_row<T>);

template <class T>
constexpr bool has_count = std::is_same_v<T, std::string> || is_numbers_in_a_row<T>;

template <WrittenInOnePiece T>
std::size_t written_size(const T& value) noexcept {
    if constexpr (has_count<T>) {
        return sizeof(std::size_t) + value.size() * sizeof(typename T::value_type);
    } else {
        return sizeof(T);
    }
}

template <WrittenInOnePiece T>
void write_to(std::byte* place, const T& value) noexcept {
    if constexpr (has_count<T>) {
        const std::size_t count = value.size();
        std::memcpy(place, &count, sizeof count);
        if (count != 0)
            std::memcpy(place + sizeof count, value.data(), count * sizeof(typename T::value_type));
    } else {
        std::memcpy(place, &value, sizeof value);
    }
}

// These need no archive, which takes long to compile and a while to make.
template <class T>
concept WrittenDirectly = WrittenInOnePiece<T> || (!HasCodec<T> && FunctionPointer<T>);

/// A count of numbers, and in its highest byte how many bytes lie between it and them: so they lie as in
/// memory of their own, and can be read with one copy.
struct PaddedCount {
    std::size_t count = 0;
    std::size_t padding = 0;

    static constexpr int padding_at = 56;

    void write(Writer& out) const {
        constexpr std::array<std::byte, alignof(std::max_align_t)> nothing{};
        out.write_raw(count | padding << padding_at);
        out.write(nothing.data(), padding);
    }
    static PaddedCount read(Reader& in) {
        const auto word = in.read_raw<std::size_t>();
        const PaddedCount it{word & ((std::size_t{1} << padding_at) - 1), word >> padding_at};
        in.take(it.padding);
        return it;
    }
};

template <WrittenDirectly T>
void write_directly(Writer& out, const T& value) {
    if constexpr (FunctionPointer<T>) {
        write_function(out, reinterpret_cast<const void*>(value));
    } else if constexpr (is_numbers_in_a_row<T>) {
        using Number = typename T::value_type;
        const std::size_t behind_count = out.size() + sizeof(std::size_t);
        PaddedCount{value.size(), -behind_count % alignof(Number)}.write(out);
        out.write(value.data(), value.size() * sizeof(Number));
    } else if constexpr (has_count<T>) {
        out.write_raw(value.size());
        out.write(value.data(), value.size() * sizeof(typename T::value_type));
    } else {
        out.write_raw(value);
    }
}

template <WrittenDirectly T>
T read_directly(Reader& in) {
    if constexpr (FunctionPointer<T>) {
        return reinterpret_cast<T>(read_function(in));
    } else if constexpr (std::is_same_v<T, std::string>) {
        return in.read_text();
    } else if constexpr (is_numbers_in_a_row<T>) {
        using Number = typename T::value_type;
        const std::size_t count = PaddedCount::read(in).count;
        if (count > in.left() / sizeof(Number))
            in.take(count == 0 ? 0 : in.left() + 1);  // cut short: said in its words
        const auto bytes = in.take(count * sizeof(Number));
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Number) ==
            0) {  // no need to fill it first
            const auto* const first = reinterpret_cast<const Number*>(bytes.data());
            if constexpr (requires(T& numbers) { numbers.reserve(count); }) {
                T numbers;
                numbers.reserve(count);
                prepare_to_fill(numbers.data(), bytes.size());
                numbers.assign(first, first + count);
                return numbers;
            } else {
                return T(first, first + count);
            }
        }
        T numbers(count);
        if (count != 0) std::memcpy(numbers.data(), bytes.data(), bytes.size());
        return numbers;
    } else if constexpr (std::is_same_v<T, bool>) {
        return in.read_raw<unsigned char>() != 0;
    } else if constexpr (std::is_enum_v<T>) {
        return static_cast<T>(in.read_raw<std::underlying_type_t<T>>());
    } else {
        return in.read_raw<T>();
    }
}

template <class T>
constexpr void refuse_to_travel_as_value() {
    (void)sizeof(type_cannot_travel_to_another_process<T, give_it_a_cereal_serialize_function,
                                                       or_make_it_an_aggregate_of_types_that_travel,
                                                       or_specialise_chorus_codec_for_it>);
}

template <class T>
constexpr void refuse_to_travel() {
    if constexpr (requires { &T::operator(); }) {
        (void)sizeof(capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process<
                     T, pass_what_it_captures_as_arguments>);
    } else {
        refuse_to_travel_as_value<T>();
    }
}

/// cereal's face of a Writer. Everything inside a value comes through operator() again, so that the
/// four ways to travel may be nested in any order.
class OutputArchive : public cereal::OutputArchive<OutputArchive, cereal::AllowEmptyClassElision> {
    using Base = cereal::OutputArchive<OutputArchive, cereal::AllowEmptyClassElision>;

public:
    explicit OutputArchive(Writer& out) : Base(this), out_(out) {}

    template <class... Values>
    OutputArchive& operator()(Values&&... values) {
        (put(values), ...);
        return *this;
    }
    template <class Value>
    OutputArchive& operator&(Value&& value) {
        return (*this)(value);
    }
    template <class Value>
    OutputArchive& operator<<(Value&& value) {
        return (*this)(value);
    }

    // cereal gives no address for a std::array without elements.
    void saveBinary(const void* data, std::size_t size) {
        if (data != nullptr) out_.write(data, size);
    }

private:
    // What writes nothing is given one byte: so a count of elements can be checked against the bytes left.
    template <class T>
    void put(const T& value) {
        const std::size_t before = out_.size();
        write(value);
        if (out_.size() == before) out_.write_raw('\0');
    }
    template <class T>
    void write(const T& value);

    Writer& out_;
};

/// cereal's face of a Reader.
class InputArchive : public cereal::InputArchive<InputArchive, cereal::AllowEmptyClassElision> {
    using Base = cereal::InputArchive<InputArchive, cereal::AllowEmptyClassElision>;

public:
    explicit InputArchive(Reader& in) : Base(this), in_(in) {}

    template <class... Values>
    InputArchive& operator()(Values&&... values) {
        (get(values), ...);
        return *this;
    }
    template <class Value>
    InputArchive& operator&(Value&& value) {
        return (*this)(value);
    }
    template <class Value>
    InputArchive& operator>>(Value&& value) {
        return (*this)(value);
    }

    /// A value that did not exist before: one with a codec need not be default-constructible.
    template <class T>
    T make() {
        const std::size_t before = in_.left();
        T value = codec<T>::read(in_);
        if (in_.left() == before) in_.take(1);
        return value;
    }

    void loadBinary(void* data, std::size_t size) {
        if (data != nullptr) in_.read(data, size);
    }
    std::size_t read_count() { return in_.read_count(); }
    std::size_t left() const noexcept { return in_.left(); }

private:
    template <class T>
    void get(T& value) {
        const std::size_t before = in_.left();
        read(value);
        if (in_.left() == before) in_.take(1);
    }
    template <class T>
    void read(T& value);

    Reader& in_;
};

template <class T>
    requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(OutputArchive& archive, const T& value) {
    archive.saveBinary(&value, sizeof value);
}
template <class T>
    requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(InputArchive& archive, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        unsigned char byte = 0;
        archive.loadBinary(&byte, 1);
        value = byte != 0;
    } else {
        archive.loadBinary(&value, sizeof value);
    }
}
// cereal makes all elements first. A damaged message may announce more than memory holds, so each is made
// when its bytes are read.
template <class Sequence>
void read_one_by_one(InputArchive& archive, Sequence& values) {
    using Element = typename Sequence::value_type;
    const std::size_t count = archive.read_count();
    values.clear();
    if constexpr (requires { values.reserve(count); })
        values.reserve(std::min(count, archive.left() / sizeof(Element)));
    for (std::size_t i = 0; i < count; ++i) {
        if constexpr (std::is_default_constructible_v<Element>) {
            archive(values.emplace_back());
        } else {
            values.push_back(archive.template make<Element>());
        }
    }
}
template <class T, class Allocator>
    requires(!std::is_arithmetic_v<T>)
void CEREAL_LOAD_FUNCTION_NAME(InputArchive& archive, std::vector<T, Allocator>& values) {
    read_one_by_one(archive, values);
}
template <class T, class Allocator>
void CEREAL_LOAD_FUNCTION_NAME(InputArchive& archive, std::deque<T, Allocator>& values) {
    read_one_by_one(archive, values);
}
template <class T, class Allocator>
void CEREAL_LOAD_FUNCTION_NAME(InputArchive& archive, std::list<T, Allocator>& values) {
    read_one_by_one(archive, values);
}
template <class Archive, class T>
    requires std::is_same_v<Archive, OutputArchive> || std::is_same_v<Archive, InputArchive>
void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& archive, cereal::NameValuePair<T>& pair) {
    archive(pair.value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(OutputArchive& archive, const cereal::SizeTag<T>& tag) {
    const auto count = static_cast<std::size_t>(tag.size);
    archive.saveBinary(&count, sizeof count);
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(InputArchive& archive, cereal::SizeTag<T>& tag) {
    tag.size = static_cast<std::remove_reference_t<T>>(archive.read_count());
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(OutputArchive& archive, const cereal::BinaryData<T>& data) {
    archive.saveBinary(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(InputArchive& archive, cereal::BinaryData<T>& data) {
    archive.loadBinary(data.data, static_cast<std::size_t>(data.size));
}

// Apart, because cereal's own wrappers are only written or only read.
template <class T>
concept WrittenByCereal = cereal::traits::is_output_serializable<T, OutputArchive>::value;
template <class T>
concept ReadByCereal = cereal::traits::is_input_serializable<T, InputArchive>::value;
template <class T>
concept KnownToCereal = WrittenByCereal<T> && ReadByCereal<T>;

template <class T>
concept TooLargeAggregate = Aggregate<T> && field_count<T> > internal::most_fields;
template <class T>
concept CountedAggregate =
    Aggregate<T> && !TooLargeAggregate<T> && (field_count<T> > 0 || std::is_empty_v<T>);

// What cereal wraps a base class in.
template <class T>
concept CerealBase = std::is_base_of_v<cereal::traits::detail::BaseCastBase, T>;

template <class T>
void OutputArchive::write(const T& value) {
    if constexpr (HasCodec<T>) {
        codec<T>::write(out_, value);
    } else if constexpr (WrittenDirectly<T>) {
        write_directly(out_, value);
    } else if constexpr (std::is_pointer_v<T>) {
        refuse_to_travel<T>();
    } else if constexpr (WrittenByCereal<T> || CerealBase<T>) {
        Base::operator()(value);
    } else if constexpr (TooLargeAggregate<T>) {
        (void)sizeof(
            aggregate_with_more_than_32_fields_cannot_travel<T, give_it_a_cereal_serialize_function>);
    } else if constexpr (CountedAggregate<T>) {
        visit_fields(value, [this](const auto&... fields) { (*this)(fields...); });
    } else {
        refuse_to_travel<T>();
    }
}

template <class T>
void InputArchive::read(T& value) {
    using Value = std::remove_const_t<T>;
    if constexpr (HasCodec<Value>) {
        value = codec<Value>::read(in_);
    } else if constexpr (WrittenDirectly<Value>) {
        value = read_directly<Value>(in_);
    } else if constexpr (std::is_pointer_v<Value>) {
    } else if constexpr (ReadByCereal<Value> || CerealBase<Value>) {
        Base::operator()(value);
    } else if constexpr (CountedAggregate<Value>) {
        visit_fields(value, [this](auto&... fields) { (*this)(fields...); });
    }  // else: writing it was refused, and said so
}

/// Writes one value.
template <class T>
void encode(Writer& out, const T& value) {
    if constexpr (HasCodec<T>) {
        codec<T>::write(out, value);
    } else if constexpr (WrittenDirectly<T>) {
        write_directly(out, value);
    } else {
        OutputArchive archive(out);
        archive(value);
    }
}

/// Reads one value. Throws: DecodeError if the bytes do not hold one, BinaryMismatch if they name a
/// function of another binary, or what the type's own reading throws.
template <class T>
T decode(Reader& in) {
    if constexpr (HasCodec<T>) {
        return codec<T>::read(in);
    } else if constexpr (WrittenDirectly<T>) {
        return read_directly<T>(in);
    } else if constexpr (!std::is_default_constructible_v<T>) {
        if constexpr (WrittenByCereal<T> || CountedAggregate<T>) {  // else writing it was refused
            (void)sizeof(
                type_without_default_constructor_cannot_travel<T, or_specialise_chorus_codec_for_it>);
        }
        throw DecodeError("never reached: this does not compile");
    } else {
        T value{};
        InputArchive archive(in);
        try {
            archive(value);
        } catch (const cereal::Exception& error) {
            throw DecodeError(std::string("message damaged: ") + error.what());
        }
        return value;
    }
}

// Equal keys keep their order, which cereal's own reading turns round.
template <class Container, class Element>
struct OrderedCodec {
    static void write(Writer& out, const Container& container) {
        out.write_raw(container.size());
        for (const auto& element : container) encode<Element>(out, element);
    }
    static Container read(Reader& in) {
        Container container;
        for (auto left = in.read_count(); left > 0; --left)
            container.insert(container.end(), decode<Element>(in));
        return container;
    }
};

}  // namespace detail::message

template <class Key, class Value, class Compare, class Allocator>
struct codec<std::multimap<Key, Value, Compare, Allocator>>
    : detail::message::OrderedCodec<std::multimap<Key, Value, Compare, Allocator>, std::pair<Key, Value>> {};

template <class Key, class Compare, class Allocator>
struct codec<std::multiset<Key, Compare, Allocator>>
    : detail::message::OrderedCodec<std::multiset<Key, Compare, Allocator>, Key> {};

// What holds elements that are not default-constructible, which cereal would make before it reads them.
namespace detail::message {
template <class... T>
concept SomeMustBeMade = (!std::is_default_constructible_v<T> || ...);
}  // namespace detail::message

template <detail::message::SomeMustBeMade T>
struct codec<std::optional<T>> {
    static void write(detail::message::Writer& out, const std::optional<T>& value) {
        detail::message::encode(out, value.has_value());
        if (value) detail::message::encode(out, *value);
    }
    static std::optional<T> read(detail::message::Reader& in) {
        if (!detail::message::decode<bool>(in)) return std::nullopt;
        return detail::message::decode<T>(in);
    }
};

template <class... T>
    requires detail::message::SomeMustBeMade<T...>
struct codec<std::tuple<T...>> {
    static void write(detail::message::Writer& out, const std::tuple<T...>& values) {
        std::apply([&](const T&... each) { (detail::message::encode(out, each), ...); }, values);
    }
    static std::tuple<T...> read(detail::message::Reader& in) {
        return std::tuple<T...>{detail::message::decode<T>(in)...};  // in this order, because of the braces
    }
};

template <class First, class Second>
    requires detail::message::SomeMustBeMade<First, Second>
struct codec<std::pair<First, Second>> {
    static void write(detail::message::Writer& out, const std::pair<First, Second>& values) {
        detail::message::encode(out, values.first);
        detail::message::encode(out, values.second);
    }
    static std::pair<First, Second> read(detail::message::Reader& in) {
        return std::pair<First, Second>{detail::message::decode<First>(in),
                                        detail::message::decode<Second>(in)};
    }
};

template <detail::message::SomeMustBeMade T, std::size_t count>
struct codec<std::array<T, count>> {
    static void write(detail::message::Writer& out, const std::array<T, count>& values) {
        for (const T& each : values) detail::message::encode(out, each);
    }
    static std::array<T, count> read(detail::message::Reader& in) {
        return [&]<std::size_t... index>(std::index_sequence<index...>) {
            return std::array<T, count>{(static_cast<void>(index), detail::message::decode<T>(in))...};
        }(std::make_index_sequence<count>());
    }
};

template <class Key, class Value, class... More>
    requires detail::message::SomeMustBeMade<Key, Value>
struct codec<std::map<Key, Value, More...>>
    : detail::message::OrderedCodec<std::map<Key, Value, More...>, std::pair<Key, Value>> {};
template <class Key, class Value, class... More>
    requires detail::message::SomeMustBeMade<Key, Value>
struct codec<std::unordered_map<Key, Value, More...>>
    : detail::message::OrderedCodec<std::unordered_map<Key, Value, More...>, std::pair<Key, Value>> {};
template <detail::message::SomeMustBeMade Key, class... More>
struct codec<std::set<Key, More...>> : detail::message::OrderedCodec<std::set<Key, More...>, Key> {};
template <detail::message::SomeMustBeMade Key, class... More>
struct codec<std::unordered_set<Key, More...>>
    : detail::message::OrderedCodec<std::unordered_set<Key, More...>, Key> {};

// Some standard types are recognised by their shape: their headers take long to compile, and most programs
// that use Chorus do without them.
namespace detail::message {

template <class T>
concept FilesystemPath = std::constructible_from<T, std::string> && requires(const T& path) {
    { path.native() } -> std::same_as<const std::string&>;
    { path.lexically_normal() } -> std::same_as<T>;
};
template <class T>
concept Complex = requires(const T& number) {
    requires std::is_arithmetic_v<typename T::value_type> && sizeof(T) == 2 * sizeof(typename T::value_type);
    { number.real() } -> std::same_as<typename T::value_type>;
    { number.imag() } -> std::same_as<typename T::value_type>;
    T(number.real(), number.imag());
};
template <class T>
concept Valarray = requires(const T& values) {
    typename T::value_type;
    { values.cshift(0) } -> std::convertible_to<T>;
    T(values.size());
};

}  // namespace detail::message

template <detail::message::FilesystemPath Path>
struct codec<Path> {
    static void write(detail::message::Writer& out, const Path& path) { out.write_text(path.native()); }
    static Path read(detail::message::Reader& in) { return in.read_text(); }
};

template <detail::message::Complex Number>
struct codec<Number> {
    static void write(detail::message::Writer& out, const Number& number) {
        out.write_raw(number.real());
        out.write_raw(number.imag());
    }
    static Number read(detail::message::Reader& in) {
        const auto real = in.read_raw<typename Number::value_type>();
        return {real, in.read_raw<typename Number::value_type>()};
    }
};

template <detail::message::Valarray Values>
struct codec<Values> {
    static void write(detail::message::Writer& out, const Values& values) {
        out.write_raw(values.size());
        if constexpr (in_one_piece) {
            if (values.size() != 0) out.write(&values[0], values.size() * sizeof(Value));
        } else {
            for (const auto& each : values) detail::message::encode(out, each);
        }
    }
    static Values read(detail::message::Reader& in) {
        const std::size_t count = in.read_count();
        if constexpr (in_one_piece) {
            const auto bytes = in.take(count * sizeof(Value));
            Values values(count);
            if (count != 0) std::memcpy(&values[0], bytes.data(), bytes.size());
            return values;
        } else {
            Values values(count);
            for (auto& each : values) each = detail::message::decode<Value>(in);
            return values;
        }
    }

private:
    using Value = typename Values::value_type;
    static constexpr bool in_one_piece = std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>;
};

template <>
struct codec<std::monostate> {
    static void write(detail::message::Writer& out, std::monostate) { out.write_raw('\0'); }
    static std::monostate read(detail::message::Reader& in) {
        in.take(1);
        return {};
    }
};

}  // namespace chorus::inline v0

CEREAL_REGISTER_ARCHIVE(chorus::detail::message::OutputArchive)
CEREAL_REGISTER_ARCHIVE(chorus::detail::message::InputArchive)
CEREAL_SETUP_ARCHIVE_TRAITS(chorus::detail::message::InputArchive, chorus::detail::message::OutputArchive)

#pragma GCC visibility pop

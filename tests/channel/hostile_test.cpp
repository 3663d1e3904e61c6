// Messages as another process might have written them, damaged: reading gives a value or an error of
// Chorus's.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <variant>

#include <fcntl.h>
#include <sys/resource.h>

#include <channel/channel_support.hpp>
#include <support/sanitizers.hpp>

namespace message = chorus::detail::message;

namespace {

constexpr int attempts = rounds(4000);

// An allocation that a damaged length asked for would not fit in here.
class LittleMemory {
public:
    LittleMemory() {
        ::getrlimit(RLIMIT_DATA, &before_);
        const rlimit little{512UL << 20, before_.rlim_max};
        if (!under_sanitizer) ::setrlimit(RLIMIT_DATA, &little);
    }
    ~LittleMemory() { ::setrlimit(RLIMIT_DATA, &before_); }
    LittleMemory(const LittleMemory&) = delete;
    LittleMemory& operator=(const LittleMemory&) = delete;

private:
    rlimit before_{};
};

std::vector<std::byte> damaged(std::vector<std::byte> bytes, std::minstd_rand& random) {
    const auto any = [&](std::size_t below) { return static_cast<std::size_t>(random()) % below; };
    for (std::size_t times = 1 + any(4); times > 0 && !bytes.empty(); --times) {
        switch (any(5)) {
            case 0: bytes.resize(any(bytes.size())); break;
            case 1: bytes[any(bytes.size())] = static_cast<std::byte>(any(256)); break;
            case 2: bytes[any(bytes.size())] ^= static_cast<std::byte>(1U << any(8)); break;
            case 3: {  // an extreme number somewhere
                const std::uint64_t numbers[] = {0,          ~0ULL, ~0ULL >> 1, 1ULL << 63,
                                                 1ULL << 32, 4096,  64,         ~0ULL - 63};
                const std::size_t at = any(bytes.size());
                std::memcpy(bytes.data() + at, &numbers[any(8)], std::min<std::size_t>(8, bytes.size() - at));
                break;
            }
            case 4:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(any(bytes.size())), 1 + any(16),
                             static_cast<std::byte>(any(256)));
                break;
        }
    }
    return bytes;
}

// Each time with descriptors of its own, as they come with a message, or fewer.
template <class T>
void survives(const T& value) {
    message::Writer out;
    message::encode(out, value);
    const std::vector<std::byte> whole(out.buffered().begin(), out.buffered().end());
    std::minstd_rand random(12345);
    const LittleMemory little_memory;
    const std::size_t before = open_descriptors();
    int refused = 0;
    for (int round = 0; round < attempts; ++round) {
        // First cut short at each place, then anything.
        auto bytes = static_cast<std::size_t>(round) < whole.size()
                         ? std::vector<std::byte>(
                               whole.begin(),
                               whole.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(round)))
                         : damaged(whole, random);
        std::vector<int> descriptors;
        for (const auto& attachment : out.attachments()) {
            if (random() % 8 != 0) descriptors.push_back(::dup(attachment.descriptor));
        }
        if (random() % 4 == 0) std::reverse(descriptors.begin(), descriptors.end());
        message::Attachments attachments(std::move(descriptors));
        message::Reader in(bytes, random() % 8 == 0 ? nullptr : &attachments);
        try {
            message::decode<T>(in);
        } catch (const chorus::Error&) {
            ++refused;
        }
    }
    EXPECT_GE(refused, static_cast<int>(std::min<std::size_t>(whole.size(), attempts)))
        << "what is cut short holds nothing";
    EXPECT_LE(open_descriptors(), before + 1)
        << "descriptors that came are closed; there may be further memory for small objects";
}

TEST(Hostile, plain_values) {
    survives(std::string("some text"));
    survives(std::vector<double>{1, 2, 3});
    survives(std::vector<std::string>{"one", "two", std::string(100, 'x')});
    survives(std::optional<std::vector<std::string>>({"a"}));
    survives(std::variant<int, std::string, std::vector<int>>(std::vector<int>{1, 2}));
    survives(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
    survives(bytes_of("bytes"));
}

TEST(Hostile, handles) {
    settled_descriptors();
    survives(mp::Lock());
    survives(mp::RLock());
    survives(mp::Event());
    survives(mp::Semaphore(1));
    survives(mp::Condition());
    survives(mp::Barrier(2));
    survives(mp::Queue<int>());
    survives(mp::Queue<std::string>());
    survives(mp::Pipe().first);
    survives(mp::Pipe({.duplex = false}).first);
    survives(mp::Pipe({.duplex = false}).second);
}

TEST(Hostile, handles_in_containers) {
    settled_descriptors();
    survives(std::vector<mp::Queue<int>>(3));
    survives(std::pair<int, mp::Lock>());
    survives(std::vector<mp::Connection>{mp::Pipe().first});
}

// What came is not of this library at all.
TEST(Hostile, foreign_descriptors) {
    settled_descriptors();
    message::Writer out;
    message::encode(out, mp::Queue<int>());
    const auto bytes = out.take();
    for (const char* path : {"/dev/null", "/proc/self/exe", "/tmp", "/dev/zero", "/proc/self/status"}) {
        const int file = ::open(path, O_RDONLY | O_CLOEXEC);
        message::Attachments attachments({file, ::dup(file)});
        message::Reader in(bytes, &attachments);
        EXPECT_THROW(message::decode<mp::Queue<int>>(in), chorus::Error) << path;
    }
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    message::Attachments attachments({ends[0], ends[1]});
    message::Reader in(bytes, &attachments);
    EXPECT_THROW(message::decode<mp::Queue<int>>(in), chorus::Error);
}

// Through a real pipe: what cannot be read is an error for the receiver, and the next message arrives.
TEST(Hostile, through_a_pipe) {
    const auto [left, right] = mp::Pipe();
    std::minstd_rand random(54321);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::byte> bytes(random() % 64);
        for (auto& byte : bytes) byte = static_cast<std::byte>(random());
        left.send_bytes(bytes);
        left.send(round);
        EXPECT_THROW(right.recv<std::vector<std::string>>(), chorus::TypeMismatch);
        ASSERT_EQ(right.recv_bytes(), bytes);
        ASSERT_EQ(right.recv<int>(), round);
    }
}

}  // namespace

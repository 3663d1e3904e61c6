#include "digest.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hash_tree {
namespace {

constexpr std::size_t block_size = 1 << 20;

struct Free {
    void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

EVP_MD* sha256() {
    static const std::unique_ptr<EVP_MD, Free> algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
    if (algorithm == nullptr) throw std::runtime_error("libcrypto offers no SHA-256");
    return algorithm.get();
}

// One digest after the other.
class Sha256 {
public:
    void begin() { check(context_ != nullptr ? EVP_DigestInit_ex2(context_.get(), sha256(), nullptr) : 0); }
    void add(std::span<const unsigned char> bytes) {
        check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
    }
    std::string end() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned int size = 0;
        check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size));
        constexpr const char* digits = "0123456789abcdef";
        std::string text;
        for (const unsigned char byte : std::span(digest).first(size)) {
            text += digits[byte >> 4];
            text += digits[byte & 15];
        }
        return text;
    }

private:
    static void check(int done) {
        if (done != 1) throw std::runtime_error("libcrypto failed to compute a SHA-256");
    }
    std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
};

class OpenFile {
public:
    // Between listing and opening a file may have become a link or a FIFO: the one is refused, the
    // other must not make the open wait for a writer. Where its holder must give up a lease first,
    // which there is on regular files only, waiting is right.
    explicit OpenFile(const std::string& path) : descriptor_(::open(path.c_str(), flags | O_NONBLOCK)) {
        if (descriptor_ < 0 && errno == EWOULDBLOCK) descriptor_ = ::open(path.c_str(), flags);
        if (descriptor_ < 0) throw_errno();
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    bool is_regular() const {
        struct stat status {};
        if (::fstat(descriptor_, &status) != 0) throw_errno();
        return S_ISREG(status.st_mode);
    }

    /// The bytes read into the block; none at the end of the file.
    std::span<const unsigned char> read(std::span<unsigned char> block) {
        ssize_t size = 0;
        do {
            size = ::read(descriptor_, block.data(), block.size());
        } while (size < 0 && errno == EINTR);
        if (size < 0) throw_errno();
        return block.first(static_cast<std::size_t>(size));
    }

private:
    static constexpr int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
    [[noreturn]] static void throw_errno() { throw std::system_error(errno, std::generic_category()); }
    int descriptor_;
};

Hashed hash_file(const std::string& path, Sha256& sha256, std::span<unsigned char> block) {
    Hashed result;
    try {
        OpenFile file(path);
        if (!file.is_regular()) {
            result.error = "It is no regular file any more";
            return result;
        }
        sha256.begin();
        for (auto bytes = file.read(block); !bytes.empty(); bytes = file.read(block)) {
            sha256.add(bytes);
            result.bytes += bytes.size();
        }
        result.digest = sha256.end();
    } catch (const std::system_error& error) {
        result.error = error.code().message();
    }
    return result;
}

}  // namespace

std::vector<Hashed> hash_files(const std::vector<std::string>& paths) {
    const auto block = std::make_unique_for_overwrite<unsigned char[]>(block_size);
    Sha256 sha256;
    std::vector<Hashed> results;
    for (const auto& path : paths) results.push_back(hash_file(path, sha256, {block.get(), block_size}));
    return results;
}

void load_sha256() {
    Sha256 sha256;
    sha256.begin();
    sha256.end();
}

std::string escaped(const std::string& path) {
    std::string text;
    for (const char c : path) {
        switch (c) {
            case '\\': text += "\\\\"; break;
            case '\n': text += "\\n"; break;
            case '\r': text += "\\r"; break;
            default: text += c;
        }
    }
    return text;
}

std::string sha256sum_line(const std::string& digest, const std::string& path) {
    const std::string name = escaped(path);
    return (name == path ? "" : "\\") + digest + "  " + name + '\n';
}

}  // namespace hash_tree

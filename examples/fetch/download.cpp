#include "download.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <curl/curl.h>

namespace fetch {
namespace {

using namespace std::chrono_literals;

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
struct CloseCurl {
    void operator()(CURL* curl) const { ::curl_easy_cleanup(curl); }
};

thread_local Patience patience;
thread_local std::unique_ptr<CURL, CloseCurl> connection;

std::atomic<bool> given_up = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may write it");

// What became of one attempt.
struct Attempt {
    std::string problem;    ///< "" if it went well
    bool may_help = false;  ///< to try again
    std::uint64_t bytes = 0;
};

std::string errno_text(const std::string& what) {
    return what + ": " + std::generic_category().message(errno);
}

int is_given_up(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return given_up ? 1 : 0; }

std::string seconds_text(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", seconds);
    return text;
}

Attempt explain(CURL* curl, CURLcode result, const char* details) {
    long os_error = 0;
    long status = 0;
    ::curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
    ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    switch (result) {
        case CURLE_OK: break;
        case CURLE_COULDNT_CONNECT: return {os_error == ECONNREFUSED ? "connection refused" : details, true};
        case CURLE_OPERATION_TIMEDOUT:
            return {"timed out after " + seconds_text(patience.timeout_seconds), true};
        case CURLE_COULDNT_RESOLVE_HOST: return {details, true};
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR: return {std::string("broken off: ") + details, true};
        case CURLE_ABORTED_BY_CALLBACK: return {"given up"};
        case CURLE_WRITE_ERROR: return {errno_text("its file cannot be written")};
        default: return {details[0] != '\0' ? details : ::curl_easy_strerror(result)};
    }
    if (status == 200) return {};
    const bool is_busy = status >= 500 || status == 408 || status == 429;
    return {"the server answers " + std::to_string(status) + (status == 404 ? " (not found)" : ""), is_busy};
}

Attempt try_once(const Job& job) {
    std::unique_ptr<std::FILE, CloseFile> file(std::fopen(job.temporary.c_str(), "wbe"));
    if (file == nullptr) return {errno_text("its file cannot be written")};
    CURL* const curl = connection.get();
    char details[CURL_ERROR_SIZE] = "";
    ::curl_easy_reset(curl);
    ::curl_easy_setopt(curl, CURLOPT_URL, job.url.c_str());
    ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    ::curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);  // signals are the whole program's
    ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(patience.timeout_seconds * 1000));
    ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, file.get());  // by fwrite
    ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, details);
    ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_given_up);
    Attempt attempt = explain(curl, ::curl_easy_perform(curl), details);
    ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    if (!attempt.problem.empty()) return attempt;
    curl_off_t bytes = 0;
    ::curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    attempt.bytes = static_cast<std::uint64_t>(bytes);
    // The last bytes are written by the close, and only then is it known whether there was room for them.
    if (std::fclose(file.release()) != 0 || std::rename(job.temporary.c_str(), job.path.c_str()) != 0)
        return {errno_text("its file cannot be written")};
    return attempt;
}

}  // namespace

void be_patient(const Patience& wanted) {
    static const CURLcode begun = ::curl_global_init(CURL_GLOBAL_ALL);  // once, whichever thread comes first
    patience = wanted;
    connection.reset(begun == CURLE_OK ? ::curl_easy_init() : nullptr);
    if (connection == nullptr) throw std::runtime_error("libcurl cannot begin");
}

Downloaded download(const Job& job) {
    const auto begin = std::chrono::steady_clock::now();
    Attempt attempt;
    int number = 1;
    for (;; ++number) {
        attempt = try_once(job);
        if (attempt.problem.empty())
            return {attempt.bytes,
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
        if (!attempt.may_help || number > patience.retries) break;
        std::this_thread::sleep_for(
            100ms * (1 << std::min(number, 6)));  // it may be better then, and is not worse for a busy server
    }
    std::remove(job.temporary.c_str());
    throw std::runtime_error(attempt.problem +
                             (number > 1 ? ", " + std::to_string(number) + " attempts" : ""));
}

void give_up() noexcept { given_up = true; }

}  // namespace fetch

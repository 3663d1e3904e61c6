#include "worker/report.hpp"

#include <csignal>
#include <cstring>
#include <new>

#include "memory/segment.hpp"
#include "platform/resource_limits.hpp"
#include "platform/signals.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

struct Header {
    std::uint64_t size = 0;
    std::uint64_t complete = 0;
};
static_assert(sizeof(Header) <= crash_offset);
static_assert(crash_offset + sizeof(platform::CrashRecord) + platform::longest_memory_map + 4096 <
              outcome_offset);

void commit(int report, std::size_t size) {
    const Header header{size, 1};
    platform::write_at(report, 0, std::as_bytes(std::span(&header, 1)));
}

void report_exception(int report, std::exception_ptr thrown, std::size_t memory_limit) {
    if (memory_limit != 0) {
        platform::lift_memory_limit();
        try {
            std::rethrow_exception(thrown);
        } catch (const std::bad_alloc&) {
            thrown = std::make_exception_ptr(OutOfMemory("the call needed more than the " +
                                                         std::to_string(memory_limit) +
                                                         " bytes that .memory allows it"));
        } catch (...) {
        }
    }
    memory::SegmentSink sink(report, outcome_offset);
    message::Writer out(sink, 64 * 1024);
    message::write_exception(out, thrown);
    out.flush();
    commit(report, out.size());
}

}  // namespace

int run_and_report(message::Call& call, int report, bool wants_result, std::size_t memory_limit) {
    platform::record_crashes(report, crash_offset);
    struct Errand {
        message::Call& call;
        message::Writer* out;
    };
    try {
        if (memory_limit != 0) platform::limit_memory(memory_limit);
        memory::SegmentSink sink(report, outcome_offset);
        message::Writer out(sink, 64 * 1024);
        out.write_raw(message::Ending::value);
        Errand errand{call, wants_result ? &out : nullptr};
        platform::watch_exceptions(
            [](void* context) {
                auto& here = *static_cast<Errand*>(context);
                here.call.invoke(here.out);
            },
            &errand);
        out.flush();
        commit(report, out.size());
    } catch (const SystemExit&) {
        throw;
    } catch (...) {
        report_exception(report, std::current_exception(), memory_limit);
        return 1;
    }
    return 0;
}

platform::FileDescriptor make_report() { return platform::make_anonymous_file("chorus-report"); }

Report::Report(const platform::FileDescriptor& file) {
    const std::size_t size = platform::file_size(file.get());
    if (size == 0) return;  // nothing was ever written
    mapping_ = platform::Mapping(file.get(), size, platform::Mapping::Access::read);
    const std::span<const std::byte> bytes = mapping_.bytes();
    Header header;
    if (size >= sizeof header) std::memcpy(&header, bytes.data(), sizeof header);
    if (size >= crash_offset + sizeof record_) {
        std::memcpy(&record_, bytes.data() + crash_offset, sizeof record_);
        const char* text = reinterpret_cast<const char*>(bytes.data()) + crash_offset + sizeof record_;
        const std::size_t most =
            std::min(size - crash_offset - sizeof record_, platform::longest_memory_map + 4096);
        memory_map_ = {text, ::strnlen(text, most)};
    }
    if (header.complete == 1 && size >= outcome_offset && header.size <= size - outcome_offset) {
        outcome_ = bytes.subspan(outcome_offset, header.size);
    }
}

std::optional<message::Reader> Report::value() {
    message::Reader in(outcome_);
    if (outcome_.empty() || in.read_raw<message::Ending>() != message::Ending::value) return std::nullopt;
    return in;
}

std::exception_ptr Report::exception() {
    if (outcome_.empty() || static_cast<message::Ending>(outcome_.front()) == message::Ending::value)
        return nullptr;
    message::Reader in(outcome_);
    return message::read_exception(in);
}

Death death_of(std::optional<int> exitcode, const Report& report, std::size_t memory_limit) {
    if (!exitcode)
        return {
            "ended before it gave a result; how is not known, as other code in this program has collected "
            "its exit status (waitpid(-1), or SIGCHLD is ignored)",
            std::nullopt, ""};
    if (*exitcode >= 0)
        return {"left with exit code " + std::to_string(*exitcode) + " before it gave a result", exitcode,
                ""};
    const auto stack = report.stack();
    std::string what = "killed by " + platform::signal_name(-*exitcode);
    if (!stack.top.empty()) what += " in " + stack.top;
    if (memory_limit != 0) {
        what += " (it was allowed " + std::to_string(memory_limit) + " bytes of memory)";
    } else if (exitcode == -SIGKILL) {
        what += " (by another process, or by the system for want of memory)";
    }
    return {what, exitcode, stack.text};
}

platform::SymbolizedStack Report::stack() const {
    const auto count = std::min<std::size_t>(
        record_.frame_count > 0 ? static_cast<std::size_t>(record_.frame_count) : 0, platform::most_frames);
    if (count == 0) return {};
    platform::AddressStack stack;
    stack.frames.assign(record_.frames.begin(), record_.frames.begin() + static_cast<std::ptrdiff_t>(count));
    stack.first_is_exact = true;
    stack.code = platform::code_in_map(memory_map_, stack.instructions());
    return platform::symbolize(stack);
}

}  // namespace chorus::inline v0::detail::worker

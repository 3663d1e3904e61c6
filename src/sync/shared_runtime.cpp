#include "sync/shared_runtime.hpp"

#include <memory>
#include <mutex>
#include <new>

#include "platform/fork_mutex.hpp"
#include "platform/mapping.hpp"
#include "sync/liveness.hpp"

namespace chorus::inline v0::detail::sync {
namespace {

using platform::page_size;
static_assert(sizeof(SharedRuntime) <= SharedRuntime::hints_offset &&
              sizeof(SharedRuntime::Hints) <= page_size && SharedRuntime::signs_offset % page_size == 0 &&
              SharedRuntime::participants_offset % page_size == 0);
constexpr std::size_t size_with_all_participants =
    SharedRuntime::participants_offset + SharedRuntime::most_participants * sizeof(Participant);

// Bytes of the file whose locks guard what lies in it. They say nothing themselves.
enum Guarded : std::size_t { printing, growth };

struct Memory {
    platform::FileDescriptor file;
    platform::Mapping mapping;  ///< as large as it may become
};

struct Page {
    platform::ForkMutex mutex;
    // A system's lock on a byte is the process's: its threads agree by these.
    platform::ForkMutex growth_mutex;
    std::mutex print_mutex;    ///< no fork() waits for a line to be written
    Memory* memory = nullptr;  ///< never unmapped: threads point into it
    Memory* before_main = nullptr;
    std::atomic<SharedRuntime*> shared_runtime{nullptr};
};

Page& page() {
    static auto* const instance = new Page;
    return *instance;
}

Memory* map(platform::FileDescriptor file) {
    auto memory = std::make_unique<Memory>();
    memory->mapping =
        platform::Mapping(file.get(), size_with_all_participants, platform::Mapping::Access::read);
    memory->mapping.make_writable(SharedRuntime::hints_offset,
                                  SharedRuntime::participants_offset - SharedRuntime::hints_offset);
    memory->file = std::move(file);
    return memory.release();
}

SharedRuntime* shared_runtime_in(const Memory& memory) noexcept {
    return std::launder(reinterpret_cast<SharedRuntime*>(memory.mapping.bytes().data()));
}

// The first page, to be written to for a moment.
class FirstPage {
public:
    explicit FirstPage(int file) : mapping_(file, page_size, platform::Mapping::Access::read_write) {}
    std::byte* data() const noexcept { return mapping_.bytes().data(); }
    SharedRuntime& shared_runtime() const noexcept {
        return *std::launder(reinterpret_cast<SharedRuntime*>(data()));
    }

private:
    platform::Mapping mapping_;
};

Page& ready_page() {
    auto& here = page();
    if (here.shared_runtime.load() != nullptr) return here;
    const std::lock_guard guard(here.mutex);
    if (here.shared_runtime.load() != nullptr) return here;
    auto file = platform::make_anonymous_file(shared_runtime_label);
    platform::reserve(file.get(), SharedRuntime::signals_offset);
    new (FirstPage(file.get()).data()) SharedRuntime;
    here.memory = map(std::move(file));
    auto* const made = shared_runtime_in(*here.memory);
    new (&made->hints()) SharedRuntime::Hints;
    for (auto& sign : made->signs()) new (&sign) CounterBlock;
    // The name tags, signals and lives are what memory is at first, zeros.
    here.shared_runtime = made;
    return here;
}

}  // namespace

SharedRuntime& shared_runtime() { return *ready_page().shared_runtime; }
int shared_runtime_descriptor() { return ready_page().memory->file.get(); }

void take_shared_runtime(platform::FileDescriptor file) {
    if (platform::file_size(file.get()) < SharedRuntime::signals_offset)
        throw DecodeError("the memory that a program's processes share is cut short");
    // Static objects may have used shared ones before: this thread's life there is none here.
    page().before_main = page().memory;
    leave_participants_behind();
    page().memory = map(std::move(file));
    page().shared_runtime = shared_runtime_in(*page().memory);
}

void make_participants_ready(std::uint32_t more_than) {
    auto& here = ready_page();
    const int file = here.memory->file.get();
    const std::lock_guard guard(here.growth_mutex);
    platform::lock_byte(file, growth);
    struct Unlock {
        int file;
        ~Unlock() { platform::unlock_byte(file, growth); }
    } const unlock{file};
    const std::uint32_t ready = shared_runtime().participants_ready;
    if (ready > more_than) return;
    if (ready >= SharedRuntime::most_participants)
        throw Error("32768 threads of this program's processes use shared objects already: end some of them");
    constexpr std::size_t more = SharedRuntime::participants_at_a_time;
    platform::reserve(file, SharedRuntime::signals_offset + ready * sizeof(std::uint32_t),
                      more * sizeof(std::uint32_t));
    platform::reserve(file, SharedRuntime::participants_offset + ready * sizeof(Participant),
                      more * sizeof(Participant));
    FirstPage(file).shared_runtime().participants_ready = ready + more;
}

PrintLock::PrintLock() {
    auto& here = ready_page();
    forget_in_copies();
    here.print_mutex.lock();
    platform::lock_byte(here.memory->file.get(), printing);
    // No process is in there: the one that set this is dead, or the word was written over, which costs
    // an empty line.
    died_in_a_line_ = shared_runtime().hints().line_begun.exchange(1) != 0;
}

PrintLock::~PrintLock() {
    auto& here = ready_page();
    shared_runtime().hints().line_begun = 0;
    platform::unlock_byte(here.memory->file.get(), printing);
    here.print_mutex.unlock();
}

void free_print_lock() noexcept { new (&page().print_mutex) std::mutex; }

}  // namespace chorus::inline v0::detail::sync

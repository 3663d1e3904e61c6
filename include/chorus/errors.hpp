// Every exception that Chorus throws, on one page.
//
// The type says what happened; what() adds what was expected and what to do about it. All of them travel:
// thrown in a worker process, they are thrown in the caller as themselves.
//
// Thread safety: as the standard's exceptions; copies may be used by different threads.
// Crash safety: WorkerDied, TimedOut and OutOfMemory report the death of a worker to its caller.
#pragma once

#include <chorus/version.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace chorus::inline v0::detail::message {
class RemoteStack;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

/// What happened, as a number: the codes of the exceptions below, in the category "chorus". Some compare
/// equal to a condition of the standard: `error.code() == std::errc::timed_out`.
enum class errc {
    error = 1,
    usage_error,    ///< std::errc::invalid_argument
    timed_out,      ///< std::errc::timed_out
    cancelled,      ///< std::errc::operation_canceled
    out_of_memory,  ///< std::errc::not_enough_memory
    worker_died,
    broken_pool,
    remote_error,
    owner_died,  ///< std::errc::owner_dead
    damaged,     ///< std::errc::state_not_recoverable
    broken_barrier,
    empty,  ///< std::errc::resource_unavailable_try_again
    full,   ///< std::errc::resource_unavailable_try_again
    shut_down,
    end_of_file,
    broken_pipe,  ///< std::errc::broken_pipe
    type_mismatch,
    buffer_too_short,  ///< std::errc::message_size
    decode_error,      ///< std::errc::bad_message
    binary_mismatch
};
/// The category of these codes; its name is "chorus".
const std::error_category& error_category() noexcept;
/// For std::error_code.
inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

/// The base of all exceptions of Chorus (except SystemExit, which is a request and no error). It is a
/// std::system_error, as OsError has to be one. So `catch (const chorus::Error&)` stands before
/// `catch (const std::system_error&)`.
class Error : public std::system_error {
public:
    /// With this text.
    explicit Error(const std::string& what, std::error_code code = make_error_code(errc::error))
        : system_error(code), text_(what) {}
    /// What happened, what was expected, and what to do.
    const char* what() const noexcept override { return text_.what(); }

private:
    std::runtime_error text_;  ///< as text that can be copied without throwing
};

/// The call makes no sense in this state or with this value: a second start, a join before the start, a
/// negative timeout. Python raises ValueError, RuntimeError or AssertionError for these.
class UsageError : public Error {
public:
    /// With this text.
    explicit UsageError(const std::string& what) : Error(what, make_error_code(errc::usage_error)) {}
};

/// The operating system refused a call. what() names the call and, where a limit was met, the limit.
class OsError : public Error {
public:
    /// An error code of the operating system, also as the plain number.
    class Code : public std::error_code {
    public:
        /// Of this errno value.
        explicit Code(int value) noexcept : error_code(value, std::system_category()) {}
        /// The errno value.
        operator int() const noexcept { return value(); }
        /// As the number.
        friend std::ostream& operator<<(std::ostream& out, const Code& code) { return out << code.value(); }
    };

    /// `code` is an errno value.
    OsError(const std::string& what, int code) : Error(what, Code(code)) {}
    /// The error code: compare it with std::errc, or with an errno value.
    Code code() const noexcept { return Code(Error::code().value()); }
};

/// A name that should be new exists already. Python's FileExistsError.
class FileExists : public OsError {
public:
    using OsError::OsError;
};

/// No object has this name. Python's FileNotFoundError.
class FileNotFound : public OsError {
public:
    using OsError::OsError;
};

/// The task of a pool that an error is about.
struct TaskPosition {
    std::uint64_t task = 0;             ///< 1, 2, … in the order of submission; 0: no task
    std::optional<std::size_t> item{};  ///< its first item in the range of a map or imap, from 0
};

/// A time limit passed before the result was there. With `mp::async({.timeout = …})` the worker has been
/// killed.
class TimedOut : public Error {
public:
    /// `position` is that of the task, if a pool's task took longer than its limit.
    explicit TimedOut(const std::string& what, TaskPosition position = {})
        : Error(what, make_error_code(errc::timed_out)), position_(position) {}

    /// The task that exceeded its limit: 1, 2, … in the order of submission; 0 if the caller's deadline
    /// passed, and for run() and async().
    std::uint64_t task() const noexcept { return position_.task; }
    /// The first item of that task in the range of a map or imap, from 0; empty for other tasks.
    std::optional<std::size_t> item() const noexcept { return position_.item; }

private:
    TaskPosition position_;
};

/// The work was cancelled before it had a result.
class Cancelled : public Error {
public:
    /// With this text.
    explicit Cancelled(const std::string& what) : Error(what, make_error_code(errc::cancelled)) {}
};

/// A worker process needed more memory than it was allowed.
class OutOfMemory : public Error {
public:
    /// `position` is that of the task, if it was a pool's.
    explicit OutOfMemory(const std::string& what, TaskPosition position = {})
        : Error(what, make_error_code(errc::out_of_memory)), position_(position) {}

    /// The task: 1, 2, … in the order of submission; 0 for run() and async().
    std::uint64_t task() const noexcept { return position_.task; }
    /// As TimedOut::item().
    std::optional<std::size_t> item() const noexcept { return position_.item; }

private:
    TaskPosition position_;
};

/// A worker process ended without a result: by a signal, or by an early exit.
class WorkerDied : public Error {
public:
    /// What a pool adds.
    struct Circumstances {
        std::uint64_t task = 0;             ///< as WorkerDied::task()
        std::size_t memory = 0;             ///< as WorkerDied::memory(), in bytes
        std::string last_lines{};           ///< as WorkerDied::last_lines()
        std::optional<std::size_t> item{};  ///< as WorkerDied::item()
    };
    /// Of a worker that has ended.
    WorkerDied(const std::string& what, std::optional<int> exitcode, std::string stack)
        : WorkerDied(what, exitcode, std::move(stack), Circumstances()) {}
    /// Of a pool's worker that has ended.
    WorkerDied(const std::string& what, std::optional<int> exitcode, std::string stack,
               Circumstances circumstances)
        : Error(what, make_error_code(errc::worker_died)),
          exitcode_(exitcode),
          stack_(std::move(stack)),
          circumstances_(std::move(circumstances)) {}

    /// The signal that killed the worker; 0 if it exited, or if the cause is unknown.
    int signal() const noexcept { return exitcode_ && *exitcode_ < 0 ? -*exitcode_ : 0; }

    /// As Process::exitcode(): 0…255, or -SIGNAL; empty if other code in the program has collected the
    /// worker's exit status and the kernel no longer reports it (Linux before 6.15).
    std::optional<int> exitcode() const noexcept { return exitcode_; }

    /// The stack of the thread that crashed, one frame a line, innermost first, taken inside the
    /// dying worker. Empty where nothing could run any more (SIGKILL, _exit).
    const std::string& stack() const noexcept { return stack_; }

    /// The task that a pool's worker was at: 1, 2, … in the order of their submission; 0 for run() and
    /// async().
    std::uint64_t task() const noexcept { return circumstances_.task; }
    /// As TimedOut::item().
    std::optional<std::size_t> item() const noexcept { return circumstances_.item; }
    /// Bytes that the worker had in memory at most; 0 where the system does not tell. It counts what it was
    /// copied from, also where that was its parent (fork), or where it shared its parent's memory until it
    /// became a fresh image (spawn).
    std::size_t memory() const noexcept { return circumstances_.memory; }
    /// What a pool's worker wrote to standard error last, as many lines as the pool's `.last_lines` asks for.
    const std::string& last_lines() const noexcept { return circumstances_.last_lines; }

private:
    std::optional<int> exitcode_;
    std::string stack_;
    Circumstances circumstances_;
};

/// A pool has no workers and cannot start any: the initializer failed, or the system refuses. what() says
/// why.
class BrokenPool : public Error {
public:
    /// With this text.
    explicit BrokenPool(const std::string& what) : Error(what, make_error_code(errc::broken_pool)) {}
};

/// An exception of a type that cannot be rebuilt here was thrown in a worker process.
class RemoteError : public Error {
public:
    /// Of an exception that cannot be rebuilt.
    RemoteError(std::string type, std::string message, std::string stack);

    /// The exception's C++ type, in readable form.
    const std::string& type() const noexcept { return type_; }
    /// Its what(), or a description of the thrown value.
    const std::string& message() const noexcept { return message_; }
    /// The stack at the throw, one frame a line, innermost first. The first call, on this object or a copy,
    /// looks up names and lines in the debug information of the binaries concerned: some milliseconds, and
    /// tens of them for the first stack of a process. A binary that has been replaced since is not read.
    const std::string& stack() const noexcept;

private:
    friend class detail::message::RemoteStack;

    RemoteError(std::shared_ptr<const detail::message::RemoteStack> stack, std::string type,
                std::string message)
        : Error(type + ": " + message, make_error_code(errc::remote_error)),
          type_(std::move(type)),
          message_(std::move(message)),
          stack_(std::move(stack)) {}

    std::string type_;
    std::string message_;
    std::shared_ptr<const detail::message::RemoteStack>
        stack_;  ///< shared by all copies; null once moved from
};

/// The owner of this lock died. Thrown by the next acquire(), which holds the lock now; what it protects may
/// be inconsistent. Repair that and call recover(); or release() the lock, and the next acquire() throws
/// again.
class OwnerDied : public Error {
public:
    /// With this text.
    explicit OwnerDied(const std::string& what) : Error(what, make_error_code(errc::owner_died)) {}
};

/// Shared memory is corrupted: a process that maps it made a stray write. Thrown by the call that detects it
/// and by each later call on the object, which cannot be repaired, only replaced. A pool does that itself:
/// tasks whose messages were lost that way fail with this, and it goes on. what() says which object, and what
/// was found.
class Damaged : public Error {
public:
    /// With this text.
    explicit Damaged(const std::string& what) : Error(what, make_error_code(errc::damaged)) {}
};

/// A barrier is broken: a party aborted, was late, or died in it (what() says which). Python's name.
class BrokenBarrierError : public Error {
public:
    /// With this text.
    explicit BrokenBarrierError(const std::string& what)
        : Error(what, make_error_code(errc::broken_barrier)) {}
};

/// The deadline passed before an item was there.
class Empty : public Error {
public:
    /// With this text.
    explicit Empty(const std::string& what) : Error(what, make_error_code(errc::empty)) {}
};

/// The deadline passed before there was room.
class Full : public Error {
public:
    /// With this text.
    explicit Full(const std::string& what) : Error(what, make_error_code(errc::full)) {}
};

/// The queue is shut down: it refuses puts, and its items have been taken or discarded.
class ShutDown : public Error {
public:
    /// With this text.
    explicit ShutDown(const std::string& what) : Error(what, make_error_code(errc::shut_down)) {}
};

/// The other end of a pipe is gone, and all that it sent has been received. Python's EOFError.
class EndOfFile : public Error {
public:
    /// With this text.
    explicit EndOfFile(const std::string& what) : Error(what, make_error_code(errc::end_of_file)) {}
};

/// The other end of a pipe is gone: no process can receive. Python's BrokenPipeError.
class BrokenPipe : public Error {
public:
    /// With this text.
    explicit BrokenPipe(const std::string& what) : Error(what, make_error_code(errc::broken_pipe)) {}
};

/// The next message is of another type than the caller asked for. It stays where it is.
class TypeMismatch : public Error {
public:
    /// With this text.
    explicit TypeMismatch(const std::string& what) : Error(what, make_error_code(errc::type_mismatch)) {}
};

/// The next message is longer than the caller allows. It stays where it is.
class BufferTooShort : public Error {
public:
    /// `size` is that of the message, in bytes.
    BufferTooShort(const std::string& what, std::size_t size)
        : Error(what, make_error_code(errc::buffer_too_short)), size_(size) {}
    /// The size of the message in bytes.
    std::size_t size() const noexcept { return size_; }

private:
    std::size_t size_;
};

/// Bytes do not represent a value of the expected type: too short, too long, or inconsistent.
class DecodeError : public Error {
public:
    /// With this text.
    explicit DecodeError(const std::string& what) : Error(what, make_error_code(errc::decode_error)) {}
};

/// A function belongs to a binary that this process does not have. what() names both build ids.
class BinaryMismatch : public Error {
public:
    /// With this text.
    explicit BinaryMismatch(const std::string& what) : Error(what, make_error_code(errc::binary_mismatch)) {}
};

/// Thrown to end the current worker: a process exits with this code, a thread ends.
/// Not a std::exception, so that `catch (const std::exception&)` does not intercept it; Python's SystemExit
/// is no Exception for the same reason.
class SystemExit {
public:
    /// A process exits with this code, 0 to 255; a thread ends silently, whatever the code.
    explicit SystemExit(int code = 0) : code_(code) {}
    /// The message is printed on stderr and the exit code is 1.
    explicit SystemExit(std::string message) : code_(1), message_(std::move(message)) {}
    /// The same, of a literal.
    explicit SystemExit(const char* message) : SystemExit(std::string(message)) {}
    /// As in Python, `SystemExit(true)` is a failure: exit code 1.
    explicit SystemExit(bool failed) : code_(failed ? 1 : 0) {}

    /// The exit code.
    int code() const noexcept { return code_; }
    /// The text that is printed on stderr; empty if an exit code was given.
    const std::optional<std::string>& message() const noexcept { return message_; }

private:
    int code_;
    std::optional<std::string> message_;
};

}  // namespace chorus::inline v0

/// chorus::errc converts to std::error_code.
template <>
struct std::is_error_code_enum<chorus::errc> : std::true_type {};

#pragma GCC visibility pop

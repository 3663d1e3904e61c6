// Every exception Chorus can throw, on one page.
//
// Each name says what happened; what() adds what was expected and what to do about it. All of them
// can travel: thrown in a worker process they arrive in the caller as themselves.
//
// Threads: an exception object belongs to whoever caught it.
// Death: WorkerDied, TimedOut and OutOfMemory are how the death of a worker reaches its caller.
#pragma once

#include <chorus/detail/requirements.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace chorus::message {
class RemoteStack;
}

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

/// The base of all that Chorus throws (but SystemExit, which is a request and no error).
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The call makes no sense in this state or with this value: a second start, a join before the
/// start, a negative timeout. Python raises ValueError, RuntimeError or AssertionError for these.
class UsageError : public Error {
public:
    using Error::Error;
};

/// The operating system refused a call. `code()` is the errno value; what() names the call and,
/// where a limit was met, the limit.
class OsError : public Error {
public:
    /// `code` is an errno value.
    OsError(const std::string& what, int code) : Error(what), code_(code) {}
    /// The errno value.
    int code() const noexcept { return code_; }

private:
    int code_;
};

/// A name that was to be free is taken. As Python's FileExistsError.
class FileExists : public OsError {
public:
    using OsError::OsError;
};

/// Nothing has this name, or nothing has it any more. As Python's FileNotFoundError.
class FileNotFound : public OsError {
public:
    using OsError::OsError;
};

/// Which of a pool's tasks an error is about.
struct TaskPosition {
    std::uint64_t task = 0;             ///< 1, 2, … in the order of the pool's submissions; 0: no task
    std::optional<std::size_t> item{};  ///< 0, 1, … in the range of a map or imap: the first that it had
};

/// A time limit passed before the result was there. `mp::async({.timeout = …})` ends the worker first.
class TimedOut : public Error {
public:
    /// `position` is that of the task, if a pool's task took longer than its limit.
    explicit TimedOut(const std::string& what, TaskPosition position = {})
        : Error(what), position_(position) {}

    /// The task that took longer than its limit: 1, 2, … in the order of their submission; 0 where it was the
    /// caller that did not wait longer, and for run() and async().
    std::uint64_t task() const noexcept { return position_.task; }
    /// The position in the range of a map or imap, from 0, of the first item that this task had; empty for
    /// other tasks.
    std::optional<std::size_t> item() const noexcept { return position_.item; }

private:
    TaskPosition position_;
};

/// The work was cancelled before it had a result.
class Cancelled : public Error {
public:
    using Error::Error;
};

/// A worker process needed more memory than it was allowed.
class OutOfMemory : public Error {
public:
    /// `position` is that of the task, if it was a pool's.
    explicit OutOfMemory(const std::string& what, TaskPosition position = {})
        : Error(what), position_(position) {}

    /// The task that needed it: 1, 2, … in the order of their submission; 0 for run() and async().
    std::uint64_t task() const noexcept { return position_.task; }
    /// As TimedOut::item().
    std::optional<std::size_t> item() const noexcept { return position_.item; }

private:
    TaskPosition position_;
};

/// A worker process ended without giving its result: by a signal, or by leaving early.
class WorkerDied : public Error {
public:
    /// What a pool knows besides.
    struct Circumstances {
        std::uint64_t task = 0;             ///< as WorkerDied::task()
        std::size_t memory = 0;             ///< as WorkerDied::memory(), in bytes
        std::string last_lines{};           ///< as WorkerDied::last_lines()
        std::optional<std::size_t> item{};  ///< as WorkerDied::item()
    };
    /// Made by the library, when it has collected the worker.
    WorkerDied(const std::string& what, std::optional<int> exitcode, std::string stack)
        : WorkerDied(what, exitcode, std::move(stack), Circumstances()) {}
    /// The same, of a pool's worker.
    WorkerDied(const std::string& what, std::optional<int> exitcode, std::string stack,
               Circumstances circumstances)
        : Error(what),
          exitcode_(exitcode),
          stack_(std::move(stack)),
          circumstances_(std::move(circumstances)) {}

    /// The signal that killed the worker, or 0 if it exited, or the cause is unknown.
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

/// A pool has no workers and can have none: their initializer failed, or none can be started. what() says
/// why.
class BrokenPool : public Error {
public:
    using Error::Error;
};

/// An exception of a type that cannot be rebuilt here was thrown in a worker process.
class RemoteError : public Error {
public:
    /// Made by the library, of an exception that it cannot rebuild.
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
    friend class message::RemoteStack;

    RemoteError(std::shared_ptr<const message::RemoteStack> stack, std::string type, std::string message)
        : Error(type + ": " + message),
          type_(std::move(type)),
          message_(std::move(message)),
          stack_(std::move(stack)) {}

    std::string type_;
    std::string message_;
    std::shared_ptr<const message::RemoteStack> stack_;  ///< shared by all copies; null once moved from
};

/// The process that held this lock died. Thrown by whatever acquired it next: the lock is held now, and what
/// it protects may be half changed. Repair that and call recover(); or release() it, and the next one is
/// told.
class OwnerDied : public Error {
public:
    using Error::Error;
};

/// Shared memory is corrupted: a process that maps it made a stray write. Thrown by the call that detects it
/// and by each later call on the object, which cannot be repaired, only replaced. A pool does that itself:
/// tasks whose messages were lost that way fail with this, and it goes on. what() says which object, and what
/// was found.
class Damaged : public Error {
public:
    using Error::Error;
};

/// A barrier is broken: a party left early, was late, or died in it (what() says which). Python's name.
class BrokenBarrierError : public Error {
public:
    using Error::Error;
};

/// No item came in time.
class Empty : public Error {
public:
    using Error::Error;
};

/// No room became free in time.
class Full : public Error {
public:
    using Error::Error;
};

/// The queue was shut down: nothing can be put any more, and what was in it has been taken or thrown away.
class ShutDown : public Error {
public:
    using Error::Error;
};

/// Everybody who could have sent is gone, and all that was sent has been received. Python's EOFError.
class EndOfFile : public Error {
public:
    using Error::Error;
};

/// Nobody is left to receive. Python's BrokenPipeError.
class BrokenPipe : public Error {
public:
    using Error::Error;
};

/// The next message is of another type than was asked for. It has not been received.
class TypeMismatch : public Error {
public:
    using Error::Error;
};

/// The next message is longer than what was allowed for it. It has not been received.
class BufferTooShort : public Error {
public:
    /// `size` is that of the message, in bytes.
    BufferTooShort(const std::string& what, std::size_t size) : Error(what), size_(size) {}
    /// Bytes that it needs.
    std::size_t size() const noexcept { return size_; }

private:
    std::size_t size_;
};

/// Bytes that should have held a value do not: cut short, too long, or of another shape.
class DecodeError : public Error {
public:
    using Error::Error;
};

/// A function was named by a binary that this process does not have. what() names both build ids.
class BinaryMismatch : public Error {
public:
    using Error::Error;
};

/// Thrown to end the current worker: a process leaves with this exit code, a thread just ends.
/// Not a std::exception, so that `catch (const std::exception&)` does not stop it by accident;
/// Python's SystemExit stands outside Exception for the same reason.
class SystemExit {
public:
    /// A process leaves with this exit code, 0 to 255; a thread ends silently, whatever it is.
    explicit SystemExit(int code = 0) : code_(code) {}
    /// The message is printed on stderr and the exit code is 1.
    explicit SystemExit(std::string message) : code_(1), message_(std::move(message)) {}
    /// The same, of a literal.
    explicit SystemExit(const char* message) : SystemExit(std::string(message)) {}
    /// As in Python, `SystemExit(true)` is a failure: exit code 1.
    explicit SystemExit(bool failed) : code_(failed ? 1 : 0) {}

    /// The exit code.
    int code() const noexcept { return code_; }
    /// What is printed on stderr; empty if an exit code was given.
    const std::optional<std::string>& message() const noexcept { return message_; }

private:
    int code_;
    std::optional<std::string> message_;
};

}  // namespace chorus

#pragma GCC visibility pop

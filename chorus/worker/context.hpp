// Contexts: the names of this module bound to one start method.
//
//     auto context = mp::get_context("spawn");
//     auto p = context.Process(work, 3);
//
// Threads: a value; copy it freely.
// Death: nothing is held.
#pragma once

#include <string>
#include <string_view>

#include <chorus/worker/process.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::multiprocessing {

/// A start method chosen at run time, for the processes that are made through it.
class Context {
public:
    /// Made by get_context().
    explicit Context(StartMethod method) noexcept : method_(method) {}

    /// Its name.
    std::string get_start_method() const { return worker::name_of(method_); }
    /// Throws: UsageError: a context keeps its method.
    void set_start_method(std::string_view) const {
        throw UsageError("a context keeps its start method: get another one by get_context");
    }

    /// A SpawnProcess, ForkProcess or ForkServerProcess. Function and arguments must travel, whatever
    /// the method, since that is known at run time only; ForkProcess itself takes anything.
    template <class Function, class... Args>
        requires(!std::same_as<std::remove_cvref_t<Function>, ProcessOptions>)
    multiprocessing::Process Process(Function&& function, Args&&... args) const {
        return Process(ProcessOptions{}, std::forward<Function>(function), std::forward<Args>(args)...);
    }
    /// The same, with options first.
    template <class Function, class... Args>
    multiprocessing::Process Process(ProcessOptions options, Function&& function, Args&&... args) const {
        switch (method_) {
            case StartMethod::fork:
                return ForkProcess(std::move(options), std::forward<Function>(function),
                                   std::forward<Args>(args)...);
            case StartMethod::spawn:
                return SpawnProcess(std::move(options), std::forward<Function>(function),
                                    std::forward<Args>(args)...);
            case StartMethod::forkserver: break;
        }
        return ForkServerProcess(std::move(options), std::forward<Function>(function),
                                 std::forward<Args>(args)...);
    }

    /// As multiprocessing::current_process().
    multiprocessing::Process current_process() const { return multiprocessing::current_process(); }
    /// As multiprocessing::parent_process().
    std::optional<multiprocessing::Process> parent_process() const {
        return multiprocessing::parent_process();
    }
    /// As multiprocessing::active_children().
    std::vector<multiprocessing::Process> active_children() const {
        return multiprocessing::active_children();
    }
    /// As multiprocessing::cpu_count().
    int cpu_count() const noexcept { return multiprocessing::cpu_count(); }

private:
    StartMethod method_;
};

/// Throws: UsageError for an unknown name. Without a name: the method chosen for Process, now fixed.
inline Context get_context(std::string_view name) { return Context(worker::start_method_named(name)); }
/// The context of the start method in force, which is fixed by this as by get_start_method().
inline Context get_context() { return Context(worker::chosen_start_method()); }

}  // namespace chorus::multiprocessing

#pragma GCC visibility pop

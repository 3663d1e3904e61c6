// The values of one mt::local: of each thread that has used it.
//
// Thread safety: any thread may make any call.
#pragma once

#include <chorus/detail/contract.hpp>

#include <functional>
#include <memory>
#include <unordered_map>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail::worker {

/// Shared by a local and the tables of its threads.
class LocalValues {
public:
    using Value = std::shared_ptr<void>;

    explicit LocalValues(std::function<Value()> make) : make_(std::move(make)) {}

    /// The calling thread's value, made now if there is none.
    static void* get(const std::shared_ptr<LocalValues>& local);
    /// Destroys all values, of the living threads too.
    void clear();

private:
    friend class LocalTable;

    std::function<Value()> make_;
    std::unordered_map<const void*, Value> values_;  ///< by the thread's table
};

}  // namespace chorus::inline v0::detail::worker

#pragma GCC visibility pop

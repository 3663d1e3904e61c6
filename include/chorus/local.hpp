// local<T>: a value of which each thread has its own.
//
//     mt::local<int> depth;
//     *depth += 1;
//
// A thread's value is made when the thread first asks for it, from the arguments the local was made
// with, and is destroyed when the thread ends, after all its thread_locals, or when the local is. The
// main thread's values are destroyed with their local.
//
// Threads: any; they never see each other's value.
// Death: a value dies with its thread.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <unordered_map>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus {

namespace worker {

// One local as all threads see it: whose values are to be destroyed with it.
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

}  // namespace worker

namespace threading {

/// A value for each thread, made at its first use there and gone with the thread, or with this object.
template <class T>
class local {
public:
    /// Each thread's value is made from these arguments, which are kept.
    template <class... Args>
        requires std::constructible_from<T, const std::decay_t<Args>&...>
    explicit local(Args&&... args)
        : values_(std::make_shared<worker::LocalValues>(
              [... args = std::decay_t<Args>(std::forward<Args>(args))]() -> std::shared_ptr<void> {
                  return std::make_shared<T>(args...);
              })) {}
    local(const local&) = delete;
    local& operator=(const local&) = delete;
    ~local() { values_->clear(); }

    /// The calling thread's value.
    T& operator*() { return *get(); }
    /// The calling thread's value.
    T* operator->() { return get(); }
    /// The calling thread's value.
    T* get() { return static_cast<T*>(worker::LocalValues::get(values_)); }

private:
    std::shared_ptr<worker::LocalValues> values_;
};

}  // namespace threading
}  // namespace chorus

#pragma GCC visibility pop

// PullIterator: the iterator of a range whose items are pulled one by one, such as the items of a queue.
//
// Thread safety: one thread at a time for each iterator.
#pragma once

#include <chorus/detail/contract.hpp>

#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0::detail {

/// An input iterator, which holds the current item; its end is std::default_sentinel. A Source has
/// `bool pull(std::optional<T>&)`, which stores the next item, and returns false at the end. If it throws,
/// the iterator can be incremented again.
template <class T, class Source>
class PullIterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = T&;

    /// Pulls the first item.
    explicit PullIterator(Source source) : source_(std::move(source)) { ++*this; }

    T& operator*() const noexcept { return *item_; }
    T* operator->() const noexcept { return &*item_; }
    PullIterator& operator++() {
        at_end_ = !source_.pull(item_);
        return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const PullIterator& at, std::default_sentinel_t) noexcept { return at.at_end_; }

private:
    Source source_;
    mutable std::optional<T> item_;
    bool at_end_ = false;
};

}  // namespace chorus::inline v0::detail

#pragma GCC visibility pop

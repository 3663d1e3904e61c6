// What the workers are. The pipeline's text is the same for both.
#pragma once

#include <cstddef>
#include <optional>

#include <chorus/chorus.hpp>

namespace pipeline {

struct Processes {
    using Worker = chorus::multiprocessing::Process;
    using Options = chorus::multiprocessing::ProcessOptions;
    template <class T>
    using Queue = chorus::multiprocessing::Queue<T>;
    /// put() waits while so many items are in it, or so many bytes.
    template <class T>
    static Queue<T> bounded(std::size_t items, std::size_t bytes) {
        return Queue<T>(chorus::multiprocessing::QueueOptions{items, bytes});
    }
};

struct Threads {
    using Worker = chorus::threading::Thread;
    using Options = chorus::threading::ThreadOptions;
    template <class T>
    using Queue = chorus::threading::Queue<T>;
    /// Items are counted; a block has a greatest size, so that bounds the bytes too.
    template <class T>
    static Queue<T> bounded(std::size_t items, std::size_t) {
        return Queue<T>(items);
    }
};

}  // namespace pipeline

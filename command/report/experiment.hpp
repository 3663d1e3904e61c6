// An experiment: a claim of the article, and how it is measured here. Each is in a file of its own name.
#pragma once

#include <array>
#include <stdexcept>
#include <string>

#include "part.hpp"

namespace command::report {

struct Effort {
    bool quick = false;  ///< good for a first look: smaller work and fewer rounds

    int rounds() const noexcept { return quick ? 3 : 7; }
    template <class T>
    T pick(T usual, T when_quick) const {
        return quick ? when_quick : usual;
    }
};

struct Experiment {
    const char* name;
    const char* title;
    const char* claim;
    const char* done;
    /// Fills the part with charts and words. Throws: whatever keeps it from going on; what it has added by
    /// then stays.
    void (*measure)(Part& part, const Effort& effort);
};

extern const Experiment sing_and_dance;
extern const Experiment cpu_bound;
extern const Experiment io_bound;
extern const Experiment starting;
extern const Experiment passing;
extern const Experiment sharing;
extern const Experiment crashing;

/// In the order of the page.
inline const std::array<const Experiment*, 7>& experiments() {
    static constexpr std::array<const Experiment*, 7> all{&sing_and_dance, &cpu_bound, &io_bound, &starting,
                                                          &passing,        &sharing,   &crashing};
    return all;
}

/// What was measured is of no use when the work was not done right.
inline void expect(bool good, const std::string& what) {
    if (!good) throw std::runtime_error("a wrong result: " + what);
}

}  // namespace command::report

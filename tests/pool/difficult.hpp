// A value that is difficult to send, in a way of one's choice.
#pragma once

#include <csignal>
#include <stdexcept>

#include <unistd.h>

#include <chorus/chorus.hpp>

struct Difficult {
    enum When { never, writing, reading };
    enum How { error, system_exit, leave, crash };
    When when = never;
    How how = error;

    void happen(When now) const {
        if (when != now) return;
        switch (how) {
            case error: throw std::range_error("difficult");
            case system_exit: throw chorus::SystemExit(7);
            case leave: ::_exit(7);
            case crash: ::raise(SIGSEGV);
        }
    }
};

template <>
struct chorus::codec<Difficult> {
    static void write(message::Writer& out, const Difficult& value) {
        value.happen(Difficult::writing);
        out.write_raw(value.when);
        out.write_raw(value.how);
    }
    static Difficult read(message::Reader& in) {
        Difficult value;
        value.when = in.read_raw<Difficult::When>();
        value.how = in.read_raw<Difficult::How>();
        value.happen(Difficult::reading);
        return value;
    }
};

inline int take_difficult(const Difficult&) { return 1; }
inline Difficult give_difficult(Difficult::When when, Difficult::How how) { return {when, how}; }

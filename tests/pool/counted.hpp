// Values of which the living ones of this process are counted, wherever they came from.
#pragma once

#include <memory>
#include <utility>

#include <chorus/chorus.hpp>

class Counted {
public:
    explicit Counted(int number = 0) : number_(number), living_(root()) {}

    int number() const noexcept { return number_; }
    /// One that was moved from does not live.
    static long living() noexcept { return root().use_count() - 1; }

private:
    static std::shared_ptr<int>& root() {
        static auto one = std::make_shared<int>();
        return one;
    }
    int number_;
    std::shared_ptr<int> living_;
};

template <>
struct chorus::codec<Counted> {
    static void write(message::Writer& out, const Counted& value) { out.write_raw(value.number()); }
    static Counted read(message::Reader& in) { return Counted(in.read_raw<int>()); }
};

inline Counted make_counted(int number) { return Counted(number); }
inline Counted give_back(Counted value) { return value; }
inline int number_of(const Counted& value) { return value.number(); }

// What may lie in shared memory, and the programs of the interface's description.
// compiles
#include <array>
#include <chrono>
#include <complex>
#include <mutex>
#include <optional>
#include <span>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;

enum class Color { red, green };
struct Point {
    int x = 1;
    double y = 2;
};
struct Record {
    char name[300];
    union {
        int number;
        double weight;
    };
    unsigned flag : 3;
    std::array<std::array<double, 4>, 4> matrix;
    std::chrono::system_clock::time_point when;
    std::optional<Point> where;
    std::complex<float> phase;
    bool valid;
};
class Hidden {
public:
    int number() const { return number_; }

private:
    int number_ = 0;
};

template <class T>
T sum(const mp::Array<T>& numbers) {
    T result{};
    for (const T& number : numbers) result += number;
    return result;
}
template <class T>
T first(mt::RawArray<T> numbers) {
    return numbers[0];
}
void fill(std::span<double> numbers) { numbers[0] = 1; }

int main() {
    mp::Value<int> n(0);
    {
        std::scoped_lock g(n.get_lock());
        n.value() += 1;
    }
    mp::Array<double> a(1'000'000);
    std::span<double> all = a;
    mp::Array<int> b{1, 2, 3};
    b[0] = 7;
    for (int& x : b) x += static_cast<int>(b.size());
    fill(a);
    mp::Lock lock;
    std::unique_lock guard(n.get_lock(), std::defer_lock);
    mp::Value<Point> p({1, 2}, lock);
    mp::Value<Point> q(Point{});
    mp::RawArray<int> raw = b;
    auto any = p.get_lock();
    any.acquire(std::chrono::seconds(1));
    mt::RawArray<Color> colors{Color::red, Color::green};
    mp::Array<Record> records(2);
    mp::Array<Hidden> hidden(2);
    mp::Value<bool> flag(true);
    return sum(b) + static_cast<int>(first(colors)) + static_cast<int>(all.size()) + raw[0];
}

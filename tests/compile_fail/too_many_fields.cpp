// error: aggregate_with_more_than_32_fields_cannot_travel<Wide

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

struct Wide {
    int f[33];
    int a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, a6 = 0, a7 = 0, a8 = 0, a9 = 0, a10 = 0, a11 = 0, a12 = 0, a13 = 0, a14 = 0, a15 = 0, a16 = 0;
    int b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0, b6 = 0, b7 = 0, b8 = 0, b9 = 0, b10 = 0, b11 = 0, b12 = 0, b13 = 0, b14 = 0, b15 = 0, b16 = 0;
};
void use(const Wide&) {}

int main() { mp::Process process(use, Wide()); }

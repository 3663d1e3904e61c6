// A plug-in, built several times; others have functions of the same names. NEEDS_OTHER: this one takes its
// `amount` from whichever was loaded before, with RTLD_GLOBAL.
#include <dlfcn.h>

#ifdef NEEDS_OTHER
int amount();
#else
int amount() { return PLUGIN_AMOUNT; }
#endif

int transform(int number) { return number + amount(); }

struct Refused {};

extern "C" {
int refuse(int) { throw Refused(); }
int entry(int number) { return transform(number); }
const char* where(int) {
    Dl_info info{};
    return ::dladdr(reinterpret_cast<void*>(&transform), &info) != 0 ? info.dli_fname : "";
}
}

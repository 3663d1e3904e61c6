// A host of plug-ins, which it loads by paths relative to its directory, and then goes elsewhere.
// plugins METHOD local|moved|gone|global|copies|runs|refuses
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <dlfcn.h>

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

namespace {

template <class Function>
Function* load(const char* path, const char* name, int names_seen = RTLD_LOCAL) {
    void* const library = ::dlopen(path, RTLD_NOW | names_seen);
    void* const function = library != nullptr ? ::dlsym(library, name) : nullptr;
    if (function == nullptr) {
        std::fprintf(stderr, "%s\n", ::dlerror());
        std::exit(2);
    }
    return reinterpret_cast<Function*>(function);
}

std::string text_of(const char* (*function)(int), int number) { return function(number); }

int load_and_refuse(const std::string& path) { return load<int(int)>(path.c_str(), "refuse")(1); }

void go(const std::string& what) {
    const auto leave_directory = [] { std::filesystem::current_path("/"); };
    if (what == "local" || what == "gone" || what == "moved") {
        auto* const a = load<int(int)>("./plugin_a.so", "entry");
        auto* const b = load<int(int)>("./plugin_b.so", "entry");
        if (what == "gone") std::filesystem::remove("plugin_b.so");
        if (what == "moved") std::filesystem::rename("plugin_b.so", "elsewhere.so");
        leave_directory();
        mp::Pool pool(1);
        chorus::print(a(1), pool.apply(a, 1), mp::run(a, 1));
        chorus::print(b(1), pool.apply(b, 1), mp::run(b, 1));
    } else if (what == "global") {
        load<int(int)>("./plugin_a.so", "entry", RTLD_GLOBAL);
        auto* const needing = load<int(int)>("./plugin_needs_other.so", "entry");
        leave_directory();
        mp::Pool pool(1);
        chorus::print(needing(1), pool.apply(needing, 1), mp::run(needing, 1));
    } else if (what == "copies") {
        std::filesystem::copy_file("plugin_a.so", "copy.so");
        auto* const a = load<const char*(int)>("./plugin_a.so", "where");
        auto* const copy = load<const char*(int)>("./copy.so", "where");
        leave_directory();
        mp::Pool pool(1);
        const auto name = [](const std::string& path) {
            return std::filesystem::path(path).filename().string();
        };
        chorus::print(name(pool.apply(text_of, a, 1)), name(pool.apply(text_of, copy, 1)));
        chorus::print(name(mp::run(text_of, copy, 1)), name(mp::run(text_of, a, 1)));
    } else if (what == "runs") {
        auto* const run_square = load<int(int)>("./plugin_runs.so", "run_square");
        leave_directory();
        chorus::print(run_square(7));
    } else if (what == "refuses") {  // only the child has the plug-in
        const std::string path = std::filesystem::absolute("plugin_a.so");
        leave_directory();
        try {
            mp::run(load_and_refuse, path);
        } catch (const chorus::RemoteError& error) {
            chorus::print(error.type());
            chorus::print(error.stack());
        }
    }
}

}  // namespace

int main(int, char** argv) {
    mp::set_start_method(argv[1]);
    try {
        go(argv[2]);
    } catch (const std::exception& error) {
        chorus::print(error.what());
        return 1;
    }
}

// Where an object lies: as in memory/, under the name that this room uses.
//
// Threads: a constant.
// Death: nothing is held.
#pragma once

#include <chorus/detail/memory/home.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::sync {

using memory::Home;

}  // namespace chorus::sync

#pragma GCC visibility pop

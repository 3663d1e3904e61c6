// Where an object lies: as in memory/, under the name that this room uses.
//
// Threads: a constant.
// Death: nothing is held.
#pragma once

#include <chorus/memory/home.hpp>

namespace chorus::sync {

using memory::Home;

}  // namespace chorus::sync

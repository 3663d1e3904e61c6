// All of Chorus.
#pragma once

#include <chorus/version.hpp>

#include <chorus/multiprocessing.hpp>
#include <chorus/threading.hpp>

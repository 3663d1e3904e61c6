// All of Chorus.
#pragma once

#include <chorus/detail/requirements.hpp>

#include <chorus/multiprocessing.hpp>
#include <chorus/threading.hpp>
#include <chorus/version.hpp>

// All of Chorus.
#pragma once

#include <chorus/requirements.hpp>

#include <chorus/multiprocessing.hpp>
#include <chorus/threading.hpp>
#include <chorus/version.hpp>

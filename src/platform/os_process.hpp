// All headers on processes: identity, start, handles, exit, signals, and what a process has from the
// system.
#pragma once

#include "platform/cpus.hpp"
#include "platform/credentials.hpp"
#include "platform/environment.hpp"
#include "platform/exit_word.hpp"
#include "platform/life_line.hpp"
#include "platform/process_exit.hpp"
#include "platform/process_handle.hpp"
#include "platform/process_id.hpp"
#include "platform/process_start.hpp"
#include "platform/random_bytes.hpp"
#include "platform/resource_limits.hpp"
#include "platform/signal_mask.hpp"
#include "platform/signals.hpp"
#include "platform/surroundings.hpp"

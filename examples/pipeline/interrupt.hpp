// Ctrl-C as a wish to stop: the first one is noted, the second ends the program as ever.
//
// Threads: any may ask.
#pragma once

namespace pipeline {

void note_interrupts();
bool is_interrupted() noexcept;

}  // namespace pipeline

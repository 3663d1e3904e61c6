// A shared library with a function that others see and one that only it sees.
#pragma once

void work_in_library();
void (*hidden_work_in_library())();

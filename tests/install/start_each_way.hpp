// What every consumer program does: 0 if Chorus works in it, and says what does not.
#pragma once

int start_each_way();

// error: type_cannot_travel_to_another_process
// error: Connection

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

class Connection {
public:
    Connection() : number_(1) {}
    int number() const { return number_; }

private:
    int number_;
};
Connection connect() { return {}; }

int main() { return mp::run(connect).number(); }

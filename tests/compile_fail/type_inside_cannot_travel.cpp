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
struct Job {
    std::string name;
    std::vector<Connection> connections;
};
void use(const Job&) {}

int main() { mp::Process process(use, Job()); }

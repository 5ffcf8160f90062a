#include "daemons/local/local_agent.h"

int main(int argc, char** argv)
{
    return facteur::agent::run_agent(argc, argv, "local", facteur::local::make_local_agent);
}

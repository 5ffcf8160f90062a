#include "daemons/virtual/virtual_agent.h"

int main(int argc, char** argv)
{
    return facteur::agent::run_agent(argc, argv, "virtual", facteur::virtual_agent::make_virtual_agent);
}

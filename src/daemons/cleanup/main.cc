// cleanup: takes messages from the network, from local submission and from the mail system itself, completes them, and
// answers only when they are on stable storage.
#include "daemons/cleanup/cleanup_server.h"

int main(int argc, char** argv)
{
    return facteur::service::run(argc, argv, "cleanup", &facteur::cleanup::make_server);
}

#include "daemons/bounce/bounce_server.h"

int main(int argc, char** argv)
{
    return facteur::service::run(argc, argv, "bounce", facteur::bounce::make_bounce_server);
}

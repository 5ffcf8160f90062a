// smtpd(8): takes mail from the network.
#include "daemons/smtpd/server.h"

int main(int argc, char** argv)
{
    return facteur::service::run(argc, argv, "smtpd", facteur::smtpd::make_server);
}

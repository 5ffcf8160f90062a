// qmgr: knows every message of the queue, decides when and where each recipient goes, and ends what is done.
#include "daemons/qmgr/qmgr_server.h"

int main(int argc, char** argv)
{
    return facteur::service::run(argc, argv, "qmgr", &facteur::qmgr::make_server);
}

// For tools that look at queue files: a message that was accepted a moment ago may not have one yet.
#pragma once

#include <string>

namespace facteur::ipc {

// Asks the queue manager at this socket to make them, and waits until it has. Best effort: when it does not run, no
// message is without a file but those that the next start gives one.
void make_queue_files(const std::string& socket_path);

} // namespace facteur::ipc

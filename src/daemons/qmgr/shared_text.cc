#include "daemons/qmgr/shared_text.h"

#include <string>
#include <unordered_map>

namespace facteur::qmgr {

struct SharedText::Node {
    std::string text;
    std::size_t uses = 0;
    Mark mark{};
};

struct SharedText::Pool {
    std::unordered_map<std::string_view, Node*> by_text; // the keys live in the nodes
};

SharedText::Pool& SharedText::pool()
{
    static Pool& all = *new Pool; // outlives every static message
    return all;
}

SharedText::SharedText(std::string_view text)
{
    if (text.empty())
        return;
    auto& known = pool().by_text;
    if (const auto found = known.find(text); found != known.end()) {
        node_ = found->second;
    } else {
        node_ = new Node{std::string(text), 0};
        known.emplace(node_->text, node_);
    }
    ++node_->uses;
}

SharedText::SharedText(const SharedText& other) : node_(other.node_)
{
    if (node_)
        ++node_->uses;
}

SharedText::~SharedText()
{
    if (!node_ || --node_->uses > 0)
        return;
    pool().by_text.erase(node_->text);
    delete node_;
}

std::string_view SharedText::view() const
{
    return node_ ? std::string_view(node_->text) : std::string_view();
}

SharedText::Mark* SharedText::mark() const
{
    return node_ ? &node_->mark : nullptr;
}

std::size_t SharedText::distinct()
{
    return pool().by_text.size();
}

} // namespace facteur::qmgr

// "proxy:type:name": the table type:name, opened directly where that works and through the service where it does not.
#include "table/driver.h"
#include "table/proxy.h"

namespace facteur::table {
namespace {

ProxyOpener& proxy_opener()
{
    static ProxyOpener opener;
    return opener;
}

class ProxyTable final : public Table {
public:
    explicit ProxyTable(std::unique_ptr<Table> inner) : Table("proxy:" + inner->spec()), inner_(std::move(inner)) {}

    LookupResult lookup(std::string_view key) override { return inner_->lookup(key); }
    bool is_pattern() const override { return inner_->is_pattern(); }
    bool blocking() const override { return inner_->blocking(); }
    bool changed() const override { return inner_->changed(); }

private:
    std::unique_ptr<Table> inner_;
};

} // namespace

void set_proxy_opener(ProxyOpener opener)
{
    proxy_opener() = std::move(opener);
}

Opened open_proxy(const OpenRequest& request)
{
    auto inner = try_open_table(request.spec.name, request.options, request.config);
    if (!inner && proxy_opener())
        inner = proxy_opener()(request.spec.name, request.options, request.config);
    if (!inner)
        return inner;
    return std::make_unique<ProxyTable>(std::move(*inner));
}

} // namespace facteur::table

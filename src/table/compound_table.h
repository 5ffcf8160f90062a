// Tables made of tables: unionmap and pipemap.
#pragma once

#include "table/driver.h"

namespace facteur::table {

using Tables = std::vector<std::unique_ptr<Table>>;

// Opens the members of "TYPE:{type:name, ...}".
std::expected<Tables, std::string> open_members(const OpenRequest& request);

// A table over members. Waits, or has changed, when one of them does; is a pattern table when all of them are.
class CompoundTable : public Table {
public:
    CompoundTable(std::string spec, Tables members) : Table(std::move(spec)), members_(std::move(members)) {}
    bool is_pattern() const final;
    bool blocking() const final;
    bool changed() const final;

protected:
    Tables& members() { return members_; }

private:
    Tables members_;
};

} // namespace facteur::table

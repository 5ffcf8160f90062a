// A configuration directory as postconf sees it: what main.cf and master.cf say, and what the names in them mean.
#pragma once

#include "config/expand.h"
#include "config/parameter.h"
#include "tools/postconf/options.h"
#include "tools/postconf/raw_master.h"
#include "tools/postconf/references.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postconf {

using Settings = std::map<std::string, std::string, std::less<>>;

class Instance {
public:
    explicit Instance(std::string directory) : directory_(std::move(directory)) {}

    // Each warns where Postfix does; an error is fatal.
    Result read_main(const Options& options);
    Result read_master(bool must_exist);
    // Tells names apart and warns of those that mean nothing. After read_*.
    Result know_names();

    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] const Settings& settings() const { return settings_; }
    [[nodiscard]] const std::vector<RawEntry>& entries() const { return entries_; }
    [[nodiscard]] const std::map<std::string, std::string>& service_names() const { return service_names_; }
    [[nodiscard]] const Names& user_names() const { return user_names_; }

    // Which class a name belongs to; 0 for none.
    [[nodiscard]] std::uint32_t class_of(std::string_view name) const;
    // The text that is shown: main.cf's or the default's; only defaults with -d.
    [[nodiscard]] std::string text_of(std::string_view name, bool only_defaults) const;
    [[nodiscard]] bool is_set(std::string_view name) const;
    // -x. Names are looked up in local settings first. Error: fatal, after its warning.
    [[nodiscard]] std::expected<std::string, std::string> evaluate(std::string_view text, bool only_defaults,
                                                                   const Settings* local = nullptr) const;

    void warn_unused_main() const;
    void warn_unused_master() const;
    // A setting that main.cf would have, or that the defaults imply; for templates.
    [[nodiscard]] std::string value_of(std::string_view name) const;

private:
    std::optional<std::string> computed_default(std::string_view name, bool only_defaults) const;
    std::optional<std::string> lookup(std::string_view name, bool only_defaults, const Settings* local) const;
    void know_service_names();
    [[nodiscard]] Result check_syntax() const;
    void know_main_names();
    void know_service_settings(const RawEntry& entry, Names& undefined);
    [[nodiscard]] bool is_known(std::string_view name) const;
    void know_restriction_classes(std::string_view list, const Settings& known, Names& valid);

    std::string directory_;
    Settings settings_;
    std::vector<RawEntry> entries_;
    std::map<std::string, std::string> service_names_; // name, default text
    Names user_names_;
    Names from_defaults_; // names that defaults, or texts of main.cf, refer to
    Names from_main_;
    std::vector<std::string> unused_main_;
    std::vector<std::string> unused_master_;
};

bool is_builtin(std::string_view name);
bool is_read_only(std::string_view name);

} // namespace facteur::postconf

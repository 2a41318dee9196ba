//! The rules of a configuration: what `rabita check` finds broken.
//!
//! A rule's word is stable once published. Each has a page in `router/model/rules/`, included at build time: no page, no
//! build.

macro_rules! rules {
    ($($variant:ident $name:literal $message:literal;)*) => {
        /// A rule that a configuration can break.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $(#[doc = $message] $variant,)* }

        impl Rule {
            /// Every rule, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in reports.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// One sentence: how it is broken.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }

            /// The page that `rabita explain` prints.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../rules/", $name, ".md")),)* }
            }
        }
    };
}

rules! {
    DocumentUnreadable "document_unreadable" "The text of a document cannot be read.";
    FileUnreadable "file_unreadable" "A file is not there, cannot be read, or is not what it should be.";
    FileUnused "file_unused" "A file lies where it is not read.";
    KeyUnknown "key_unknown" "A key is not one of those that may stand here.";
    KeyMissing "key_missing" "A key that must stand here is missing.";
    ValueWrong "value_wrong" "A value is not of the form that this key takes.";
    NameUnknown "name_unknown" "A name names nothing.";
    NameTaken "name_taken" "A name stands for two things.";
    SecretInTheOpen "secret_in_the_open" "A secret stands in the configuration itself.";
    GuardWeakened "guard_weakened" "A switch takes a protection away.";
    CertificateWrong "certificate_wrong" "A certificate, a key or a revocation list cannot be used.";
    NodeWrong "node_wrong" "Settings of the node do not go together.";
    AgencyWrong "agency_wrong" "What is said of agencies, purposes or groups does not go together.";
    SystemWrong "system_wrong" "What identifies a system does not go together.";
    GrantWrong "grant_wrong" "A grant asks for what cannot be had.";
    WithoutEffect "without_effect" "Something is written that changes nothing.";
    SchemaWrong "schema_wrong" "A schema cannot be used.";
    ConnectorWrong "connector_wrong" "Settings of a connector do not go together.";
    SourceWrong "source_wrong" "What is asked of the legacy system cannot be asked so.";
    MappingWrong "mapping_wrong" "A field of the contract and its legacy values do not correspond.";
    OneWay "one_way" "A field that is written, searched by or a key has no way back into legacy values.";
    CodecWrong "codec_wrong" "The options of a codec do not go together.";
    CodeListWrong "code_list_wrong" "A code list is ambiguous, empty or unreadable.";
    ExpressionWrong "expression_wrong" "An expression or a condition cannot be evaluated.";
    ValueLost "value_lost" "A value of a change would never reach the legacy system.";
    OperationWrong "operation_wrong" "An operation is offered that cannot be done as described.";
    TestWrong "test_wrong" "A test of the manifest cannot be run as written.";
    ContractBroken "contract_broken" "Within a version, what callers relied on is no longer so.";
}

impl Rule {
    /// The rule of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::Rule;
    use crate::Code;

    #[test]
    fn every_page_has_the_rules_word_and_the_same_headings() {
        for rule in Rule::ALL {
            let page = rule.page();
            assert!(page.starts_with(&format!("# {}\n", rule.as_str())), "{}", rule.as_str());
            for heading in ["\n## What is wrong\n", "\n## What is right\n"] {
                assert!(page.contains(heading), "{}: {heading}", rule.as_str());
            }
        }
    }

    #[test]
    fn no_rule_has_the_word_of_a_code() {
        for rule in Rule::ALL {
            assert!(Code::parse(rule.as_str()).is_none(), "{}", rule.as_str());
        }
    }
}

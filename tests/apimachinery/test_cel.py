"""Validation rules: judged when a definition is written, run when an object is."""

from __future__ import annotations

from typing import Any

import pytest

from roadbed.apimachinery.causes import text_of
from roadbed.apimachinery.cel import CelRules, RuleError, check_rules
from roadbed.apimachinery.cel_expressions import evaluate, program, untyped
from roadbed.apimachinery.cel_types import escape
from roadbed.apimachinery.nodes import compile_node

Object = dict[str, Any]

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
PATH = "spec.versions[0].schema.openAPIV3Schema"


def ruled(schema: Object, *rules: str | Object) -> Object:
    entries = [{"rule": rule} if isinstance(rule, str) else rule for rule in rules]
    return {**schema, "x-kubernetes-validations": entries}


def objects(properties: Object | None = None, **more: Any) -> Object:
    found: Object = {"type": "object", **more}
    return found if properties is None else {**found, "properties": properties}


def kind(spec: Object, *rules: str | Object) -> Object:
    return ruled(objects({"spec": spec}), *rules) if rules else objects({"spec": spec})


def validate(schema: Object, obj: Object, old: Object | None = None) -> list[str]:
    assert check_rules(schema, PATH) == []
    rules = CelRules.compile(compile_node(schema))
    assert rules is not None
    return [text_of(cause) for cause in rules.validate(obj, old)]


def spec_of(schema: Object, *rules: str | Object, spec: Object, old: Object | None = None) -> list[str]:
    before = None if old is None else {"spec": old}
    return validate(kind(ruled(schema, *rules)), {"spec": spec}, before)


def faults(schema: Object) -> list[str]:
    return [text_of(cause) for cause in check_rules(schema, PATH)]


# --- what a failed rule says


def test_a_rule_that_holds_says_nothing() -> None:
    assert spec_of(objects({"n": NUMBER}), "self.n <= 10", spec={"n": 10}) == []


@pytest.mark.parametrize("names", [("a", "b"), ("a_b", "aB"), ("a", "AEntry"), ("value", "key")])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_maps_of_maps_may_stand_side_by_side_under_any_names(names: tuple[str, str], depth: int) -> None:
    """Two maps of maps in one object made names that no two types may have, and a definition an internal error."""
    schema: Object = {"type": "string"}
    value: Any = "x"
    for _ in range(depth):
        schema, value = {"type": "object", "additionalProperties": schema}, {"k": value}
    listed = {"type": "array", "items": schema}
    properties = {names[0]: schema, names[1]: schema, "l_l": listed, "lL": listed}
    rule = f"size(self.{names[0]}) == 1 && self.{names[1]}.all(k, k == 'k') && size(self.l_l) == 2"
    held = {names[0]: value, names[1]: value, "l_l": [value, value], "lL": []}
    assert spec_of(objects(properties), rule, spec=held) == []
    assert spec_of(objects(properties), rule, spec={**held, names[0]: {}}) != []


def test_a_failed_rule_on_an_object_gives_its_message() -> None:
    rule = {"rule": "self.n <= 10", "message": "n must be <= 10"}
    assert spec_of(objects({"n": NUMBER}), rule, spec={"n": 11}) == ["spec: Invalid value: n must be <= 10"]


def test_a_failed_rule_on_a_scalar_shows_the_value() -> None:
    schema = objects({"n": ruled(NUMBER, {"rule": "self <= 10", "message": "must be <= 10"})})
    assert spec_of(schema, spec={"n": 11}) == ["spec.n: Invalid value: 11: must be <= 10"]


def test_a_rule_without_message_is_quoted() -> None:
    told = "spec: Invalid value: failed rule: self.n <= 10"
    assert spec_of(objects({"n": NUMBER}), "self.n <= 10", spec={"n": 11}) == [told]


def test_a_rule_on_the_root_is_about_the_whole_object() -> None:
    schema = kind(objects({"n": NUMBER}), "self.metadata.name == 'x' && self.kind == 'K'")
    assert validate(schema, {"kind": "K", "metadata": {"name": "x"}, "spec": {}}) == []
    assert validate(schema, {"kind": "K", "metadata": {"name": "y"}, "spec": {}}) == [
        "<nil>: Invalid value: failed rule: self.metadata.name == 'x' && self.kind == 'K'"
    ]


def test_a_message_may_be_computed() -> None:
    rule = {"rule": "self.n <= 10", "messageExpression": "'n is %d'.format([self.n])", "message": "too much"}
    assert spec_of(objects({"n": NUMBER}), rule, spec={"n": 11}) == ["spec: Invalid value: n is 11"]


@pytest.mark.parametrize("expression", ["string(self.n / 0)", "''", "'a\\nb'"])
def test_a_computed_message_that_fails_gives_way_to_the_plain_one(expression: str) -> None:
    rule = {"rule": "self.n <= 10", "messageExpression": expression, "message": "too much"}
    assert spec_of(objects({"n": NUMBER}), rule, spec={"n": 11}) == ["spec: Invalid value: too much"]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("FieldValueForbidden", "spec.n: Forbidden: m"),
        ("FieldValueRequired", "spec.n: Required value: m"),
        ("FieldValueDuplicate", "spec.n: Duplicate value"),
        ("FieldValueInvalid", "spec.n: Invalid value: m"),
    ],
)
def test_reason_and_field_path_choose_the_error(reason: str, told: str) -> None:
    rule = {"rule": "self.n <= 10", "message": "m", "reason": reason, "fieldPath": ".n"}
    schema = kind(ruled(objects({"n": NUMBER}), rule))
    rules = CelRules.compile(compile_node(schema))
    assert rules is not None
    (cause,) = rules.validate({"spec": {"n": 11}})
    assert (cause.reason, text_of(cause)) == (reason, told)


def test_a_field_path_may_lead_into_maps() -> None:
    labels = objects(additionalProperties=TEXT)
    rule = {"rule": "false", "message": "m", "fieldPath": ".labels['a.b']"}
    told = ["spec.labels[a.b]: Invalid value: m"]
    assert spec_of(objects({"labels": labels}), rule, spec={"labels": {}}) == told


def test_paths_lead_through_lists_and_maps() -> None:
    item = ruled(NUMBER, {"rule": "self > 0", "message": "m"})
    schema = objects({"l": {"type": "array", "items": item}, "m": objects(additionalProperties=item)})
    assert spec_of(schema, spec={"l": [1, 0], "m": {"a": 0}}) == [
        "spec.l[1]: Invalid value: 0: m",
        "spec.m[a]: Invalid value: 0: m",
    ]


def test_rules_in_all_of_count() -> None:
    schema = objects({"n": NUMBER}, allOf=[{"x-kubernetes-validations": [{"rule": "self.n > 0"}]}])
    assert spec_of(schema, spec={"n": 0}) == ["spec: Invalid value: failed rule: self.n > 0"]


def test_null_is_left_to_the_rules_of_what_holds_it() -> None:
    schema = objects({"n": {**ruled(NUMBER, "self > 0"), "nullable": True}})
    assert spec_of(schema, "!has(self.n) || self.n == null", spec={"n": None}) == []


# --- errors while running


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("self.n > 0", "no such key: n evaluating rule: self.n > 0"),
        ("1 / 0 == 1", "division by zero evaluating rule: 1 / 0 == 1"),
        (
            "dyn(optional.of(true))",
            (
                "type conversion error from 'optional_type' to a value outside: optional.of(true) "
                "evaluating rule: dyn(optional.of(true))"
            ),
        ),
        (
            "self.x > 1",
            (
                "'no such overload': call arguments did not match a supported operator, function or macro "
                "signature for rule: self.x > 1"
            ),
        ),
    ],
)
def test_a_rule_that_cannot_be_evaluated_refuses_the_object(rule: str, told: str) -> None:
    schema = objects({"n": NUMBER, "x": {"x-kubernetes-int-or-string": True}})
    assert spec_of(schema, rule, spec={"x": "a"}) == [f'spec: Invalid value: "object": {told}']


def test_a_rule_that_loops_too_long_refuses_the_object_and_ends_the_run() -> None:
    schema = objects({"l": {"type": "array", "maxItems": 60, "items": NUMBER}})
    loop = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))"
    (told,) = spec_of(schema, loop, "false", spec={"l": list(range(50))})
    assert "actual cost limit exceeded" in told


def test_rules_that_together_cost_too_much_refuse_the_object_where_the_budget_ends() -> None:
    sorts = "lists.range(700).sort().size() > 0"  # 980,000 each, of 10,000,000
    items = {"type": "array", "maxItems": 10, "items": ruled(NUMBER, sorts)}
    schema = objects({"l": items, "m": items})
    assert spec_of(schema, spec={"l": [0] * 10}) == []
    (told,) = spec_of(schema, spec={"l": [0] * 10, "m": [0]})
    assert told == (
        'spec.m[0]: Invalid value: "integer": validation failed due to running out of cost budget, '
        "no further validation rules will be run"
    )


def test_many_cheap_rules_do_not_exhaust_the_budget() -> None:
    schema = objects({"l": {"type": "array", "items": ruled(NUMBER, "self >= 0")}})
    assert spec_of(schema, spec={"l": [0] * 20_000}) == []


# --- types


@pytest.mark.parametrize(
    ("schema", "rule", "value"),
    [
        ({"type": "number"}, "self.v + 1.5 == 3.5", 2),
        (
            {"type": "string", "format": "date-time"},
            "self.v < timestamp('2030-01-01T00:00:00Z')",
            "2029-01-01T00:00:00Z",
        ),
        ({"type": "string", "format": "date"}, "self.v.getFullYear() == 2029", "2029-05-01"),
        ({"type": "string", "format": "duration"}, "self.v == duration('90m')", "1h30m"),
        ({"type": "string", "format": "byte"}, "self.v == b'abc'", "YWJj"),
        ({"x-kubernetes-int-or-string": True}, "type(self.v) == int ? self.v < 5 : self.v == '5%'", "5%"),
        (
            {"type": "array", "maxItems": 9, "items": {"type": "array", "maxItems": 9, "items": TEXT}},
            "self.v.all(l, l.all(s, s == 'a'))",
            [["a"]],
        ),
        (
            objects(additionalProperties={"type": "array", "items": NUMBER}),
            "self.v.all(k, self.v[k].size() == 1)",
            {"a": [1]},
        ),
        (
            objects(additionalProperties=objects({"a-b": NUMBER})),
            "self.v['x.y'].a__dash__b == 1",
            {"x.y": {"a-b": 1}},
        ),
        (
            {"type": "array", "items": {"type": "string", "format": "duration"}},
            "self.v[0] < self.v[1]",
            ["1s", "1m"],
        ),
    ],
)
def test_values_have_the_types_that_kubernetes_gives_them(schema: Object, rule: str, value: Any) -> None:
    assert spec_of(objects({"v": schema}), rule, spec={"v": value}) == []
    assert spec_of(objects({"v": schema}), f"!({rule})", spec={"v": value}) != []


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("plain", "plain"),
        ("a-b", "a__dash__b"),
        ("a.b", "a__dot__b"),
        ("a/b", "a__slash__b"),
        ("a__b", "a__underscores__b"),
        ("namespace", "__namespace__"),
        ("in", "__in__"),
        ("1a", ""),
        ("$ref", ""),
        ("", ""),
    ],
)
def test_property_names_are_escaped_to_identifiers(name: str, identifier: str) -> None:
    assert escape(name) == identifier


def test_escaped_names_reach_their_values() -> None:
    schema = objects({"a-b": NUMBER, "namespace": TEXT, "a__b": NUMBER})
    rule = "self.a__dash__b == 1 && self.__namespace__ == 'x' && self.a__underscores__b == 2"
    assert spec_of(schema, rule, spec={"a-b": 1, "namespace": "x", "a__b": 2}) == []


# --- transitions

PORTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": ruled(objects({"name": TEXT, "port": NUMBER}), "self.port == oldSelf.port"),
}


def test_transition_rules_wait_for_an_old_value() -> None:
    schema = objects({"n": ruled(NUMBER, "self >= oldSelf")})
    assert spec_of(schema, spec={"n": 1}) == []
    assert spec_of(schema, spec={"n": 1}, old={}) == []
    assert spec_of(schema, spec={"n": 1}, old={"n": 1}) == []
    assert spec_of(schema, spec={"n": 1}, old={"n": 2}) == [
        "spec.n: Invalid value: 1: failed rule: self >= oldSelf"
    ]


def test_items_of_keyed_lists_are_compared_by_key() -> None:
    old = {"p": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}
    new = {"p": [{"name": "b", "port": 2}, {"name": "c", "port": 3}, {"name": "a", "port": 9}]}
    assert spec_of(objects({"p": PORTS}), spec=new, old=old) == [
        "spec.p[2]: Invalid value: failed rule: self.port == oldSelf.port"
    ]


def test_an_optional_old_value_may_be_absent() -> None:
    rule = {"rule": "oldSelf.hasValue() || self.n == 0", "optionalOldSelf": True}
    schema = objects({"n": NUMBER})
    assert spec_of(schema, rule, spec={"n": 0}) == []
    assert len(spec_of(schema, rule, spec={"n": 1})) == 1
    assert spec_of(schema, rule, spec={"n": 1}, old={"n": 0}) == []


def test_values_that_did_not_change_are_excused_except_from_transitions() -> None:
    schema = objects({"n": ruled(NUMBER, "self > 0"), "m": ruled(NUMBER, "self > oldSelf")})
    assert spec_of(schema, spec={"n": 0, "m": 1}, old={"n": 0, "m": 1}) == [
        "spec.m: Invalid value: 1: failed rule: self > oldSelf"
    ]
    assert len(spec_of(schema, spec={"n": 0, "m": 2}, old={"n": 1, "m": 1})) == 1


# --- the functions that Kubernetes adds


@pytest.mark.parametrize(
    "expression",
    [
        "[1, 2, 3].sum() == 6",
        "[1.5, 2.5].sum() == 4.0",
        "[3, 1].min() == 1 && [3, 1].max() == 3",
        "[1, 2].isSorted() && !['b', 'a'].isSorted()",
        "['a', 'b', 'a'].indexOf('a') == 0 && ['a', 'b', 'a'].lastIndexOf('a') == 2 && [1].indexOf(2) == -1",
        "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]') == ''",
        "'1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 2).size() == 2",
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])",
        "isURL('https://a.b/c') && !isURL('a.b/c')",
        "url('https://u:p@a.b:8080/c%20d?x=1&x=2').getHost() == 'a.b:8080'",
        "url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getPort() == '80'",
        "url('https://a.b/c%20d?x=1&x=2').getEscapedPath() == '/c%20d'",
        "url('https://a.b/c?x=1&x=2').getQuery()['x'] == ['1', '2'] && url('https://a.b').getScheme() == 'https'",
        "isIP('::1') && !isIP('127.0.0') && ip('127.0.0.1').family() == 4 && ip('::1').isLoopback()",
        "ip.isCanonical('::1') && !ip.isCanonical('0:0:0:0:0:0:0:1')",
        "isCIDR('10.0.0.0/8') && cidr('10.0.0.0/8').containsIP('10.1.2.3')",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.0.0.0/8').prefixLength() == 8",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
        "isQuantity('1.5Gi') && !isQuantity('200K') && !isQuantity('x')",
        "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50M').isLessThan(quantity('50Mi'))",
        "quantity('50k').add(quantity('20k')) == quantity('70k') && quantity('50k').sub(20).asInteger() == 49980",
        "sign(quantity('-1')) == -1 && !quantity('1m').isInteger() && quantity('500m').asApproximateFloat() == 0.5",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'A'.lowerAscii() == 'a'",
        "'%s has %d'.format(['a', 2]) == 'a has 2'",
        "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-a.2').compareTo(semver('1.0.0-a.10')) == -1",
        "!isSemver('01.2.3') && isSemver('v01.2', true) && semver('v2', true).patch() == 0",
        "format.dns1123Label().validate('A').value().size() == 1 && !format.named('nope').hasValue()",
        "{'a': [1, 2]}.all(k, v, v.exists(i, each, each == i + 1))",
        "[1, 2, 3].transformList(i, v, i > 0, v * 2) == [4, 6] && {'a': 1}.transformMapEntry(k, v, {'b': v}) == {'b': 1}",
        "[[1], [2, [3]]].flatten(2) == [1, 2, 3] && [1, 2, 1].distinct() == [1, 2] && lists.range(2) == [0, 1]",
        "string(cidr('10.0.0.0/8')) == '10.0.0.0/8'",
        "optional.of(1).orValue(2) == 1",
    ],
)
def test_the_libraries_of_kubernetes_are_there(expression: str) -> None:
    assert evaluate(program(expression, "BOOL"), untyped().Activation({"self": {}})) == (True, "")


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("[].max() == 1", "called on empty list"),
        ("url('x').getHost() == ''", "URL parse error"),
        ("ip('x').family() == 4", "does not appear to be an IPv4 or IPv6 address"),
        ("quantity('x').isInteger()", "quantities must match the regular expression"),
        ("quantity('1.5').asInteger() == 1", "cannot convert value to integer"),
        ("ip('127.0.0.1').getHost() == ''", "no such overload"),
        ("'a'.find('(') == ''", "invalid regex"),
    ],
)
def test_functions_say_what_they_cannot_do(expression: str, told: str) -> None:
    assert told in evaluate(program(expression, "BOOL"), untyped().Activation({"self": {}}))[1]


# --- judging definitions


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("self.nope == 1", "undefined field 'nope'"),
        ("self.n == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("self.n +", "Syntax error"),
        ("self.n", "cel expression must evaluate to a bool"),
        ("self.when == 'x'", "found no matching overload"),
        ("self.kept.x == 1", "undefined field 'x'"),
        ("self.metadata.name == 'x'", "undefined field 'metadata'"),
        ("authorizer.path('/').check('get').allowed()", "undeclared reference to 'authorizer'"),
        ("'ab'.reverse() == 'ba'", "found no matching overload for 'reverse' applied to 'string.()'"),
    ],
)
def test_a_rule_that_does_not_compile_is_refused_with_path_and_place(rule: str, told: str) -> None:
    when = {"type": "string", "format": "date-time"}
    kept = objects(**{"x-kubernetes-preserve-unknown-fields": True})
    (fault,) = faults(kind(ruled(objects({"n": NUMBER, "when": when, "kept": kept}), rule)))
    assert fault.startswith(f"{PATH}.properties[spec].x-kubernetes-validations[0].rule: Invalid value: ")
    assert told in fault


@pytest.mark.parametrize(
    ("rule", "member", "told"),
    [
        ({}, "rule", "Required value: rule is not specified"),
        ({"rule": " "}, "rule", "Required value: rule is not specified"),
        ({"rule": "true", "message": " "}, "message", "must be non-empty if specified"),
        ({"rule": "true", "message": "a\nb"}, "message", "must not contain line breaks"),
        ({"rule": "true\n&& true"}, "message", "message must be specified if rule contains line breaks"),
        ({"rule": "true", "messageExpression": " "}, "messageExpression", "must be non-empty if specified"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression", "must evaluate to a string"),
        ({"rule": "true", "messageExpression": "self.x"}, "messageExpression", "undefined field 'x'"),
        ({"rule": "true", "reason": "Nope"}, "reason", 'Unsupported value: "Nope": supported values: '),
        ({"rule": "true", "fieldPath": ".x"}, "fieldPath", "must be a valid path"),
        ({"rule": "true", "fieldPath": "n"}, "fieldPath", "must be a valid path"),
        (
            {"rule": "true", "optionalOldSelf": True},
            "optionalOldSelf",
            "may not be set if oldSelf is not used",
        ),
        ({"rule": "true || '" + "x" * 20_000 + "' == ''"}, "rule", "must have at most 16384 characters"),
    ],
)
def test_the_members_of_a_rule_are_judged(rule: Object, member: str, told: str) -> None:
    (fault,) = faults(kind(ruled(objects({"n": NUMBER}), rule)))
    assert fault.startswith(f"{PATH}.properties[spec].x-kubernetes-validations[0].{member}: ")
    assert told in fault


def test_the_old_value_is_refused_where_it_cannot_be_told() -> None:
    items = ruled(objects({"a": NUMBER}), "self == oldSelf")
    (fault,) = faults(kind(objects({"l": {"type": "array", "items": items}})))
    assert "oldSelf cannot be used on the uncorrelatable portion of the schema" in fault
    assert faults(kind(objects({"p": PORTS}))) == []


def test_a_mention_of_the_old_value_in_a_text_is_none() -> None:
    assert spec_of(objects({"n": NUMBER}), "'oldSelf' != string(self.n)", spec={"n": 1}) == []


def test_rules_on_what_rules_cannot_see_are_refused() -> None:
    kept = ruled({"x-kubernetes-preserve-unknown-fields": True}, "true")
    (fault,) = faults(kind(objects({"kept": kept})))
    assert "rules need a schema with a type that rules can see" in fault


def test_the_root_may_be_an_embedded_resource() -> None:
    embedded = ruled(objects({}, **{"x-kubernetes-embedded-resource": True}), "self.metadata.name == 'x'")
    assert spec_of(objects({"e": embedded}), spec={"e": {"metadata": {"name": "x"}}}) == []


def test_schemas_without_rules_compile_to_nothing() -> None:
    assert CelRules.compile(compile_node(kind(objects({"n": NUMBER})))) is None
    assert check_rules(kind(objects({"n": NUMBER})), PATH) == []


def test_an_unchecked_rule_that_does_not_compile_raises_when_compiled() -> None:
    with pytest.raises(RuleError, match="compilation failed"):
        CelRules.compile(compile_node(kind(ruled(objects({}), "self.("))))

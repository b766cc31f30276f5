package plan

import "encoding/json"

// settings merges the levels at which an orchestrator's settings are given, the later ones going first, and keeps those of
// the given names. Objects are merged field by field, so that a step can add a label to those of its pipeline.
func settings(names []string, levels ...map[string]json.RawMessage) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	for _, name := range names {
		var value json.RawMessage
		for _, level := range levels {
			if given, ok := level[name]; ok {
				value = mergedJSON(value, given)
			}
		}
		if value == nil {
			continue
		}
		if all == nil {
			all = map[string]json.RawMessage{}
		}
		all[name] = value
	}
	return all
}

// mergedJSON returns second, or, if both are objects, their union, merged likewise.
func mergedJSON(first, second json.RawMessage) json.RawMessage {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(first, &a) != nil || json.Unmarshal(second, &b) != nil || a == nil || b == nil {
		return second
	}
	for key, value := range b {
		if old, both := a[key]; both {
			value = mergedJSON(old, value)
		}
		a[key] = value
	}
	union, err := json.Marshal(a)
	if err != nil {
		return second // can't be: both came from JSON
	}
	return union
}

package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

func recordQuantities() {
	emit(object{"oracle": "k8s.io/apimachinery v0.36.3 resource.Quantity"})
	texts := []string{
		"0", "1", "-1", "+1", "100m", "0.1", ".1", "1.", "1.5", "1500m", "1000m", "1k", "1000", "1024", "1Ki", "1023Ki", "1024Ki", "1.5Ki",
		"1.25Gi", "0.5Mi", "2.5Ki", "1e3", "1E3", "1e-3", "12e6", "1.5e2", "1E", "1Ei", "1P", "100000000000000000000", "1e20", "9223372036854775807",
		"9223372036854775808", "-9223372036854775808", "1n", "0.5n", "0.0000000001", "1.00000000001", "-0.5n", "-0.0000000001", "1u", "999u", "1000u", "1000000n", "1234567890n", "12345678901n",
		"0.1Ki", "0.001Ki", "0.0001Ki", "1.1Mi", "3.3Gi", "1M", "1G", "1T", "1Mi", "1Ti", "1Pi", "16Ei", "8Ei", "7Ei", "100E", "9E", "10E",
		"0m", "0Ki", "00", "007", "-0", "-0m", "0.000", "1e0", "1e1", "1e2", "1e6", "1e9", "1e-9", "1e-10", "1e100", "1e1000",
		"", " ", "a", "1 ", " 1", "1x", "1kk", "1ki", "1K", "1mi", "1i", "--1", "+-1", "1..2", "1.2.3", "1e", "1e+3", "1e+", "e3", "m", ".", "-", "1,000",
		"1e3Ki", "0x10", "1_000", "١", "100mm", "123456789012345678901234567890", "0.123456789012345", "123.456789m", "-1.5Gi", "-100m", "-1Ki", "5000m", "5001m", "1000000", "1000001",
		"1048576", "1048577", "10Mi", "10240Ki", "2Ki", "2048", "1.000k", "0.001k", "0.0015k", "1.0m", "1.5m", "0.5m", "1E1", "1.5E", "1.5E1", "99999999999999999999Ki", "3Ei3",
		"500M", "0.5G", "1024M", "1000Mi", "1000Ki", "18446744073709551616", "1e18", "1e19", "1000P", "1000E", "1000Pi", "1000000000000000000000n", "0.1m", "0.1u", "12E", "1.2e1", "120e-1",
	}
	for range 80 {
		suffixes := []string{"", "m", "k", "Ki", "M", "Mi", "Gi", "G", "n", "u", "e2", "e-3", "T", "Ti"}
		number := fmt.Sprint(rng.Int63n(100000))
		if rng.Intn(2) == 0 {
			number += "." + fmt.Sprint(rng.Intn(100000))
		}
		texts = append(texts, number+suffixes[rng.Intn(len(suffixes))])
	}
	var parsed []resource.Quantity
	var names []string
	for _, text := range texts {
		result := object{"text": text}
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			result["error"] = err.Error()
		} else {
			copied := quantity.DeepCopy()
			result["canonical"], result["format"] = copied.String(), string(quantity.Format)
			// As text, so that no reader rounds them.
			result["value"], result["milli"], result["sign"] = fmt.Sprint(quantity.Value()), fmt.Sprint(quantity.MilliValue()), quantity.Sign()
			parsed, names = append(parsed, quantity), append(names, text)
		}
		emit(result)
	}
	for range 300 {
		i, j := rng.Intn(len(parsed)), rng.Intn(len(parsed))
		sum := parsed[i].DeepCopy()
		sum.Add(parsed[j])
		difference := parsed[i].DeepCopy()
		difference.Sub(parsed[j])
		emit(object{"a": names[i], "b": names[j], "cmp": parsed[i].Cmp(parsed[j]), "sum": sum.String(), "difference": difference.String()})
	}
}

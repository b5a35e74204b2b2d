package clients

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

type object = runtime.Object

func tokenRequest() *authenticationv1.TokenRequest {
	seconds := int64(3600)
	return &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
}

func untyped(t *testing.T, object any) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	must(t, err)
	return &unstructured.Unstructured{Object: content}
}

func boats() *apiextensionsv1.CustomResourceDefinition {
	least, most := 1.0, 12.0
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "boats.harbour.example.org"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "harbour.example.org",
			Names: apiextensionsv1.CustomResourceDefinitionNames{
				Plural: "boats", Singular: "boat", Kind: "Boat", ListKind: "BoatList", ShortNames: []string{"bt"},
			},
			Scope: apiextensionsv1.NamespaceScoped,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{
					Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
					Scale: &apiextensionsv1.CustomResourceSubresourceScale{
						SpecReplicasPath: ".spec.oars", StatusReplicasPath: ".status.oars",
					},
				},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object",
					Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"spec": {
							Type: "object", Required: []string{"name"},
							Properties: map[string]apiextensionsv1.JSONSchemaProps{
								"name": {Type: "string", MaxLength: length(20)},
								"oars": {Type: "integer", Minimum: &least, Maximum: &most, Default: &apiextensionsv1.JSON{Raw: []byte("2")}},
								"crew": {
									Type: "array", XListType: text("map"), XListMapKeys: []string{"who"},
									Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{
										Type: "object", Required: []string{"who"},
										Properties: map[string]apiextensionsv1.JSONSchemaProps{
											"who": {Type: "string"}, "rank": {Type: "string"},
										},
									}},
								},
							},
							XValidations: apiextensionsv1.ValidationRules{{
								Rule: "self.name == oldSelf.name", Message: "a boat keeps its name",
							}},
						},
						"status": {Type: "object", XPreserveUnknownFields: yes()},
					},
				}},
			}},
		},
	}
}

func length(count int64) *int64 { return &count }
func text(value string) *string { return &value }
func yes() *bool                { is := true; return &is }

func TestACustomKindFromDefinitionToDeletion(t *testing.T) {
	client, ctx := typed(t), within(t)
	space := namespace(t, client)
	definitions := apiextensions.NewForConfigOrDie(config(t)).ApiextensionsV1().CustomResourceDefinitions()
	_ = definitions.Delete(ctx, boats().Name, metav1.DeleteOptions{})
	eventually(t, "no former definition", func() bool {
		_, err := definitions.Get(ctx, boats().Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	_, err := definitions.Create(ctx, boats(), metav1.CreateOptions{})
	must(t, err)
	eventually(t, "it is established", func() bool {
		found, err := definitions.Get(ctx, boats().Name, metav1.GetOptions{})
		must(t, err)
		for _, condition := range found.Status.Conditions {
			if condition.Type == apiextensionsv1.Established {
				return condition.Status == apiextensionsv1.ConditionTrue
			}
		}
		return false
	})
	resource := schema.GroupVersionResource{Group: "harbour.example.org", Version: "v1", Resource: "boats"}
	kept := dynamic.NewForConfigOrDie(config(t)).Resource(resource).Namespace(space)
	boat := func(oars any) *unstructured.Unstructured {
		spec := map[string]any{"name": "Anna", "unknown": "dropped"}
		if oars != nil {
			spec["oars"] = oars
		}
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "harbour.example.org/v1", "kind": "Boat",
			"metadata": map[string]any{"name": "anna"}, "spec": spec,
		}}
	}
	var made *unstructured.Unstructured
	eventually(t, "boats are served", func() bool {
		made, err = kept.Create(ctx, boat(nil), metav1.CreateOptions{})
		return err == nil
	})
	spec := made.Object["spec"].(map[string]any)
	if spec["oars"] != int64(2) || spec["unknown"] != nil {
		t.Errorf("not defaulted and pruned: %v", spec)
	}
	if _, err = kept.Update(ctx, with(made, int64(13)), metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("thirteen oars gave %v", err)
	}
	_, err = kept.Patch(ctx, "anna", types.MergePatchType, []byte(`{"spec":{"name":"Bert"}}`), metav1.PatchOptions{})
	if !apierrors.IsInvalid(err) {
		t.Errorf("another name gave %v", err)
	}
	_, err = kept.Patch(ctx, "anna", types.MergePatchType, []byte(`{"status":{"oars":2,"afloat":true}}`), metav1.PatchOptions{}, "status")
	must(t, err)
	scale, err := kept.Get(ctx, "anna", metav1.GetOptions{}, "scale")
	must(t, err)
	if count, _, _ := unstructured.NestedInt64(scale.Object, "status", "replicas"); count != 2 {
		t.Errorf("scale is %v", scale.Object)
	}
	crew := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "harbour.example.org/v1", "kind": "Boat", "metadata": map[string]any{"name": "anna"},
		"spec": map[string]any{"name": "Anna", "crew": []any{map[string]any{"who": "Jo"}}},
	}}
	_, err = kept.Apply(ctx, "anna", crew, metav1.ApplyOptions{FieldManager: "master", Force: true})
	must(t, err)
	crew.Object["spec"].(map[string]any)["crew"] = []any{map[string]any{"who": "Kim", "rank": "mate"}}
	found, err := kept.Apply(ctx, "anna", crew, metav1.ApplyOptions{FieldManager: "mate", Force: true})
	must(t, err)
	if list, _, _ := unstructured.NestedSlice(found.Object, "spec", "crew"); len(list) != 2 {
		t.Errorf("the crew is %v", list)
	}
	only, err := metadata.NewForConfigOrDie(config(t)).Resource(resource).Namespace(space).List(ctx, metav1.ListOptions{})
	must(t, err)
	if len(only.Items) != 1 || only.Items[0].Name != "anna" {
		t.Errorf("metadata is %+v", only.Items)
	}
	must(t, definitions.Delete(ctx, boats().Name, metav1.DeleteOptions{}))
	eventually(t, "its objects went with it", func() bool {
		_, err := kept.Get(ctx, "anna", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func with(boat *unstructured.Unstructured, oars int64) *unstructured.Unstructured {
	changed := boat.DeepCopy()
	_ = unstructured.SetNestedField(changed.Object, oars, "spec", "oars")
	return changed
}

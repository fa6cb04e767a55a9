//! The library without the dataflow: the examples do what they say.

#[path = "../examples/cluster_an_array.rs"]
mod cluster_an_array;
#[path = "../examples/own_objective.rs"]
mod own_objective;

#[test]
fn an_array_is_clustered_and_the_model_kept() {
    cluster_an_array::main().unwrap();
}

#[test]
fn an_objective_of_ones_own_clusters() {
    own_objective::main().unwrap();
}

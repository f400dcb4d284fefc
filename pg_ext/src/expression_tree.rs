//! Looking into Postgres' expression trees: defaults, constraints, and what an index computes.

use pgrx::pg_sys;

/// Whether a node is a column, by its number.
///
/// # Safety
/// The node must be part of an expression tree.
pub unsafe fn is_column(node: *mut pg_sys::Node, number: i16) -> bool {
    // SAFETY: as the caller's.
    unsafe { as_node::<pg_sys::Var>(without_relabel(node)).is_some_and(|variable| variable.varattno == number) }
}

/// Whether a node is a constant text.
///
/// # Safety
/// The node must be part of an expression tree.
pub unsafe fn is_text(node: *mut pg_sys::Node, text: &[u8]) -> bool {
    // SAFETY: as the caller's; the value of a constant of that type is a text.
    unsafe {
        as_node::<pg_sys::Const>(node).is_some_and(|constant| {
            constant.consttype == pg_sys::TEXTOID
                && !constant.constisnull
                && pgrx::varlena::varlena_to_byte_slice(constant.constvalue.cast_mut_ptr()) == text
        })
    }
}

/// A node without a change of its type alone.
///
/// # Safety
/// The node must be part of an expression tree.
pub unsafe fn without_relabel(node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: as the caller's.
    unsafe { as_node::<pg_sys::RelabelType>(node).map_or(node, |relabel| relabel.arg.cast()) }
}

/// A kind of node that is looked into.
pub trait Tagged {
    /// What says that a node is one.
    const TAG: pg_sys::NodeTag;
}

macro_rules! tagged {
    ($($node:ident => $tag:ident;)*) => { $(
        impl Tagged for pg_sys::$node {
            const TAG: pg_sys::NodeTag = pg_sys::NodeTag::$tag;
        }
    )* };
}

tagged! {
    FuncExpr => T_FuncExpr;
    NextValueExpr => T_NextValueExpr;
    OpExpr => T_OpExpr;
    Var => T_Var;
    Const => T_Const;
    RelabelType => T_RelabelType;
}

/// A node as one of a kind, if it is.
///
/// # Safety
/// The node must be null or part of an expression tree that lives long enough.
pub unsafe fn as_node<'a, T: Tagged>(node: *mut pg_sys::Node) -> Option<&'a T> {
    // SAFETY: the tag says what the node is.
    unsafe { (!node.is_null() && (*node).type_ == T::TAG).then(|| &*node.cast::<T>()) }
}

/// The nodes of a list.
///
/// # Safety
/// The list must be null or one of nodes.
pub unsafe fn list(list: *mut pg_sys::List) -> Vec<*mut pg_sys::Node> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: a list has as many elements as it says.
    unsafe {
        let count = usize::try_from((*list).length).unwrap_or(0);
        (0..count).map(|i| (*(*list).elements.add(i)).ptr_value.cast()).collect()
    }
}

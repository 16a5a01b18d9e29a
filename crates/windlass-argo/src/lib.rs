//! The argoproj.io dialect: objects, schemas, lowering to Units and raising of status.

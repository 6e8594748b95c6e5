! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

! The routines for many fits, and for compiled models, that Python sees.
!
! Each hands on to the copy of the lane modules compiled for one level of the processor: 1 for every processor, 2 for
! x86-64-v3 (AVX2), 3 for x86-64-v4 (AVX-512). The caller chooses, once; sizes are checked in Python.

!> Say how many numbers of work space `fit_models` and `step_model` need, and what to begin a fit with that is for the
!> latter.
subroutine model_sizes(model, n, predictors, m, work, whole, analytic)
    use kinds, only: long
    use native, only: model_of
    use lane_kinds, only: lane_layout
    use lane_levels, only: layout_of_model, numbers_of_function, jacobians_of
    implicit none (type, external)
    integer(long), intent(in) :: model(4)   !! the model, see model_of
    integer, intent(in) :: n                !! parameters
    integer, intent(in) :: predictors       !! predictors
    integer, intent(in) :: m                !! points of a data set
    integer(long), intent(out) :: work      !! for fit_models
    integer(long), intent(out) :: whole     !! for step_model
    integer, intent(out) :: analytic        !! who makes Jacobians

    type(lane_layout) :: at

    analytic = jacobians_of(model_of(model), m)
    at = layout_of_model(model_of(model), n, predictors, m)
    work = at%size
    whole = numbers_of_function(model_of(model), n, m)
end subroutine model_sizes

!> Give the shape of what functions for groups get: fits in lockstep, and most rows of a block.
subroutine group_shape(level, width, rows)
    use lane_kinds, only: lane_rows
    use lane_levels, only: width_baseline, width_v3, width_v4
    implicit none (type, external)
    integer, intent(in) :: level            !! which level
    integer, intent(out) :: width           !! fits
    integer, intent(out) :: rows            !! rows

    width = width_baseline
    if (level == 2) width = width_v3
    if (level == 3) width = width_v4
    rows = lane_rows
end subroutine group_shape

!> Give the addresses of the functions that evaluate sums of models: for groups, and for a fit.
subroutine sum_functions(level, for_groups, for_a_fit)
    use, intrinsic :: iso_c_binding, only: c_funptr, c_funloc
    use kinds, only: long
    use lane_sums_baseline, only: sum_for_groups_baseline => sum_for_groups
    use lane_sums_v3, only: sum_for_groups_v3 => sum_for_groups
    use lane_sums_v4, only: sum_for_groups_v4 => sum_for_groups
    use lane_whole_sums_baseline, only: sum_for_a_fit_baseline => sum_for_a_fit
    use lane_whole_sums_v3, only: sum_for_a_fit_v3 => sum_for_a_fit
    use lane_whole_sums_v4, only: sum_for_a_fit_v4 => sum_for_a_fit
    implicit none (type, external)
    integer, intent(in) :: level                !! which level
    integer(long), intent(out) :: for_groups    !! address of the function for groups
    integer(long), intent(out) :: for_a_fit     !! address of the function for a fit

    type(c_funptr) :: groups, whole

    select case (level)
    case (3)
        groups = c_funloc(sum_for_groups_v4)
        whole = c_funloc(sum_for_a_fit_v4)
    case (2)
        groups = c_funloc(sum_for_groups_v3)
        whole = c_funloc(sum_for_a_fit_v3)
    case default
        groups = c_funloc(sum_for_groups_baseline)
        whole = c_funloc(sum_for_a_fit_baseline)
    end select
    for_groups = transfer(groups, for_groups)
    for_a_fit = transfer(whole, for_a_fit)
end subroutine sum_functions

!> Give the bounds that work space and native models depend on.
subroutine bounds(rows, width, parameters, predictors)
    use kinds, only: row_block
    use lane_kinds, only: most_width, most_parameters, most_predictors
    implicit none (type, external)
    integer, intent(out) :: rows            !! rows that are reduced together
    integer, intent(out) :: width           !! fits of the widest group
    integer, intent(out) :: parameters      !! parameters of a model
    integer, intent(out) :: predictors      !! its predictors

    rows = row_block
    width = most_width
    parameters = most_parameters
    predictors = most_predictors
end subroutine bounds

!> Evaluate a function for a fit.
subroutine evaluate_function(model, n, predictors, m, x, p, f, with_jacobian, jac, code)
    use kinds, only: wp, long
    use native, only: evaluate_fit, differentiate_fit, model_of
    implicit none (type, external)
    integer(long), intent(in) :: model(4)                   !! the model, see model_of
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! points
    real(wp), intent(in) :: x(m, predictors)                !! predictors
    real(wp), intent(in) :: p(n)                            !! parameters
    real(wp), intent(inout) :: f(m)                         !! out: values
    integer, intent(in) :: with_jacobian                    !! 1: derivatives, too, of a model that has them
    real(wp), intent(inout) :: jac(n, *)                    !! out: derivatives by the parameters (n, m)
    integer, intent(out) :: code                            !! 0, or the code to stop with, see native

    real(wp) :: none(1)

    if (with_jacobian == 1) then
        call differentiate_fit(model_of(model), m, n, x, p, 0.0_wp, f, jac, none, code)
    else
        call evaluate_fit(model_of(model), m, n, x, p, f, code)
    end if
end subroutine evaluate_function

!> Fit a model to many data sets.
subroutine fit_models(level, model, n, predictors, m, fits, x_sets, x, y, weight_sets, weights, p0, scaled, diag, &
    bound_sets, bounds, options, interrupt, popt, triangle, fnorm, nfev, status, length, work)
    use kinds, only: wp, long
    use native, only: model_of
    use solver_options, only: options_of
    use lane_kinds, only: lane_data, lane_outcome, lane_layout
    use lane_levels, only: fit_queue_baseline, fit_queue_v3, fit_queue_v4, layout_of_model
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer(long), intent(in) :: model(4)                   !! the model, see model_of
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: fits                             !! data sets
    integer, intent(in) :: x_sets                           !! 1: the predictors are shared; or fits
    real(wp), intent(in), target :: x(m, predictors, x_sets)    !! predictors
    real(wp), intent(in), target :: y(m, fits)              !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or fits
    real(wp), intent(in), target :: weights(m, weight_sets) !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(in), target :: p0(n, fits)             !! where to start
    integer, intent(in) :: scaled                           !! 1: the scaling is given
    real(wp), intent(in), target :: diag(n)                 !! that scaling
    integer, intent(in) :: bound_sets                       !! 0: no bounds; 1: shared; or fits
    real(wp), intent(in), target :: bounds(n, 2, bound_sets)    !! lower and upper bounds; equal ones fix a parameter
    real(wp), intent(in) :: options(8)                      !! see options_of
    integer, intent(inout), volatile :: interrupt(1)        !! leave off once this is not 0
    real(wp), intent(inout), target :: popt(n, fits)        !! out: the best points
    real(wp), intent(inout), target :: triangle(n, n + 1, fits)     !! out: R of the last Jacobians, zeros below, and
                                                                    !! the heads of Qᵀ f
    real(wp), intent(inout), target :: fnorm(fits)          !! out: norms of the residuals
    integer, intent(inout), target :: nfev(fits)            !! out: evaluations
    integer, intent(inout), target :: status(fits)          !! in: info_running, or no fit is wanted; out: exit codes
    integer(long), intent(in) :: length                     !! numbers of work
    real(wp), intent(inout), target :: work(length)         !! work, see model_sizes; best aligned to 64 bytes

    type(lane_layout) :: at
    type(lane_data) :: data
    type(lane_outcome) :: outcome

    at = layout_of_model(model_of(model), n, predictors, m)
    if (length < at%size) return
    data = lane_data(n, predictors, m, fits, x_sets, weight_sets, bound_sets, scaled == 1, x, y, weights, p0, diag, &
                     bounds)
    outcome = lane_outcome(popt, triangle, fnorm, nfev, status)
    select case (level)
    case default
        call fit_queue_baseline(model_of(model), data, options_of(options), interrupt(1), outcome, at, work)
    case (2)
        call fit_queue_v3(model_of(model), data, options_of(options), interrupt(1), outcome, at, work)
    case (3)
        call fit_queue_v4(model_of(model), data, options_of(options), interrupt(1), outcome, at, work)
    end select
end subroutine fit_models

!> Evaluate a model once at the solutions of many fits, and fold rows for covariances.
subroutine refold_models(level, model, n, predictors, m, fits, x_sets, x, y, weight_sets, weights, points, bound_sets, &
    bounds, options, purpose, wanted, interrupt, triangle, length, work)
    use kinds, only: wp, long
    use native, only: model_of
    use solver_options, only: fit_options, options_of
    use lane_kinds, only: lane_data, lane_layout
    use lane_levels, only: refold_baseline, refold_v3, refold_v4, layout_of_model
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer(long), intent(in) :: model(4)                   !! the model, see model_of
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: fits                             !! data sets
    integer, intent(in) :: x_sets                           !! 1: the predictors are shared; or fits
    real(wp), intent(in), target :: x(m, predictors, x_sets)    !! predictors
    real(wp), intent(in), target :: y(m, fits)              !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or fits
    real(wp), intent(in), target :: weights(m, weight_sets) !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(in), target :: points(n, fits)         !! where to evaluate
    integer, intent(in) :: bound_sets                       !! 0: no bounds; 1: shared; or fits
    real(wp), intent(in), target :: bounds(n, 2, bound_sets)    !! lower and upper bounds; equal ones fix a parameter
    real(wp), intent(in) :: options(8)                      !! see options_of
    integer, intent(in) :: purpose                          !! of the rows: rows_of_curvature or rows_of_gradients
    integer, intent(inout) :: wanted(fits)                  !! 1 for fits to fold
    integer, intent(inout), volatile :: interrupt(1)        !! leave off once this is not 0
    real(wp), intent(inout) :: triangle(n, n + 1, fits)     !! out: R, zeros below, and the heads of Qᵀ r
    integer(long), intent(in) :: length                     !! numbers of work
    real(wp), intent(inout), target :: work(length)         !! work, see model_sizes; best aligned to 64 bytes

    type(lane_layout) :: at
    type(lane_data) :: data
    type(fit_options) :: purposeful

    at = layout_of_model(model_of(model), n, predictors, m)
    if (length < at%size) return
    data = lane_data(n, predictors, m, fits, x_sets, weight_sets, bound_sets, .false., x, y, weights, points, null(), &
                     bounds)
    purposeful = options_of(options)
    purposeful%purpose = purpose
    select case (level)
    case default
        call refold_baseline(model_of(model), data, purposeful, wanted, interrupt(1), triangle, at, work)
    case (2)
        call refold_v3(model_of(model), data, purposeful, wanted, interrupt(1), triangle, at, work)
    case (3)
        call refold_v4(model_of(model), data, purposeful, wanted, interrupt(1), triangle, at, work)
    end select
end subroutine refold_models

!> Evaluate a model where a single fit asks, and get the next task and point.
subroutine step_model(level, model, n, predictors, m, x, y, weighted, weights, interrupt, state, whole, p, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, long, task_wrong_size
    use native, only: model_of
    use lm, only: lm_fit, lm_layout, layout
    use packed_state, only: unpack_fit, work_begins
    use lane_kinds, only: lane_data
    use lane_levels, only: step_alone_baseline, step_alone_v3, step_alone_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer(long), intent(in) :: model(4)                   !! the model, see model_of
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! data points
    real(wp), intent(in), target :: x(m, predictors, 1)     !! predictors
    real(wp), intent(in), target :: y(m, 1)                 !! observations
    integer, intent(in) :: weighted                         !! 1: with weights
    real(wp), intent(in), target :: weights(m*weighted, 1)  !! reciprocal standard deviations; 0 leaves a point out
    integer, intent(inout), volatile :: interrupt(1)        !! leave off once this is not 0, with the same to evaluate
    real(wp), intent(inout), target :: state(*)             !! the packed array of a fit begun with `start`
    real(wp), intent(inout) :: whole(*)                     !! work, see model_sizes
    real(wp), intent(inout) :: p(n)                         !! in: where to evaluate; out: where next, or the solution
    integer, intent(out) :: task                            !! task_residuals, or task_done

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)
    type(lane_data) :: data
    type(lm_layout) :: at
    integer(long) :: first

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%m /= m .or. fit%n /= n) return
    data = lane_data(n, predictors, m, 1, 1, weighted, 0, .false., x, y, weights, null(), null(), null())
    if (fit%bounded) then
        data%bound_sets = 1
        at = layout(m, n, fit%analytic, .true.)
        first = work_begins(n) + at%lower - 1
        data%bounds(1:n, 1:2, 1:1) => state(first:first + 2*n - 1)      ! the lower ones, then the upper ones
    end if
    select case (level)
    case default
        call step_alone_baseline(model_of(model), data, 1, interrupt(1), fit, ipvt, state(work_begins(n)), whole, &
            p, task)
    case (2)
        call step_alone_v3(model_of(model), data, 1, interrupt(1), fit, ipvt, state(work_begins(n)), whole, p, task)
    case (3)
        call step_alone_v4(model_of(model), data, 1, interrupt(1), fit, ipvt, state(work_begins(n)), whole, p, task)
    end select
end subroutine step_model

!> Evaluate a compiled model or a function for groups, each point with parameters of its own.
subroutine evaluate_model(level, model, n, predictors, m, x, p, f, with_jacobian, jac)
    use kinds, only: wp, long
    use native, only: model_of
    use lane_levels, only: evaluate_points_baseline, evaluate_points_v3, evaluate_points_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer(long), intent(in) :: model(4)                   !! the model, see model_of
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! points
    real(wp), intent(in) :: x(m, predictors)                !! predictors
    real(wp), intent(in) :: p(m, n)                         !! parameters
    real(wp), intent(inout) :: f(m)                         !! out: values
    integer, intent(in) :: with_jacobian                    !! 1: derivatives, too
    real(wp), intent(inout) :: jac(m, *)                    !! out: derivatives by the parameters (m, n)

    select case (level)
    case default
        call evaluate_points_baseline(model_of(model), n, predictors, m, x, p, f, with_jacobian, jac)
    case (2)
        call evaluate_points_v3(model_of(model), n, predictors, m, x, p, f, with_jacobian, jac)
    case (3)
        call evaluate_points_v4(model_of(model), n, predictors, m, x, p, f, with_jacobian, jac)
    end select
end subroutine evaluate_model

!> Take covariance matrices and relative offsets from triangles.
subroutine take_statistics(level, n, fits, absolute, limits, x, fnorm, points, triangles, matrices, offsets, marks, &
                           work)
    use, intrinsic :: iso_c_binding, only: c_signed_char
    use kinds, only: wp
    use lane_kinds, only: most_width
    use lane_levels, only: take_statistics_baseline, take_statistics_v3, take_statistics_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: fits
    integer, intent(in) :: absolute                         !! 1: the variance of the residuals is one
    real(wp), intent(in) :: limits(2)                       !! on one over the sine of the angle between a column and
                                                            !! the others; and on standard errors by parameters
    real(wp), intent(in) :: x(n, fits)                      !! parameters
    real(wp), intent(in) :: fnorm(fits)                     !! norms of the residuals
    integer, intent(in) :: points(fits)                     !! how many of them count
    real(wp), intent(in) :: triangles(n, n + 1, fits)       !! triangles, with the heads of Qᵀ f
    real(wp), intent(inout) :: matrices(n, n, fits)         !! out: covariance matrices
    real(wp), intent(inout) :: offsets(fits)                !! out: relative offsets
    integer(c_signed_char), intent(inout) :: marks(fits)    !! out: 1 where columns are nearly dependent, 2 where an
                                                            !! error exceeds its limit, or 0
    real(wp), intent(inout) :: work(most_width, n, 2*n + 1) !! work

    select case (level)
    case default
        call take_statistics_baseline(n, fits, absolute == 1, limits, x, fnorm, points, triangles, matrices, offsets, &
                                      marks, work)
    case (2)
        call take_statistics_v3(n, fits, absolute == 1, limits, x, fnorm, points, triangles, matrices, offsets, &
                                marks, work)
    case (3)
        call take_statistics_v4(n, fits, absolute == 1, limits, x, fnorm, points, triangles, matrices, offsets, &
                                marks, work)
    end select
end subroutine take_statistics

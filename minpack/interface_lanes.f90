! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The routines for many fits, and for compiled models, that Python sees.
!>
!> Each hands on to the copy of the lane modules compiled for one level of the processor: 1 for every processor, 2 for
!> x86-64-v3 (AVX2), 3 for x86-64-v4 (AVX-512). The caller chooses, once; sizes are checked in Python.
module lane_levels
    use kinds, only: wp
    use lane_kinds, only: lane_options
    use lane_alone_baseline, only: step_alone_baseline => step_alone, evaluate_points_baseline => evaluate_points
    use lane_alone_v3, only: step_alone_v3 => step_alone, evaluate_points_v3 => evaluate_points
    use lane_alone_v4, only: step_alone_v4 => step_alone, evaluate_points_v4 => evaluate_points
    use lane_fits_baseline, only: fit_queue_baseline => fit_queue
    use lane_fits_v3, only: fit_queue_v3 => fit_queue
    use lane_fits_v4, only: fit_queue_v4 => fit_queue
    use lane_covariance_baseline, only: invert_triangles_baseline => invert_triangles
    use lane_covariance_v3, only: invert_triangles_v3 => invert_triangles
    use lane_covariance_v4, only: invert_triangles_v4 => invert_triangles
    use lane_blocks_baseline, only: judge_block_baseline => judge_block, commit_block_baseline => commit_block
    use lane_blocks_v3, only: judge_block_v3 => judge_block, commit_block_v3 => commit_block
    use lane_blocks_v4, only: judge_block_v4 => judge_block, commit_block_v4 => commit_block
    implicit none (type, external)
    public

contains

    !> Unpack the options of a batch.
    pure function options_of(numbers) result(options)
        real(wp), intent(in) :: numbers(6)      !! ftol, xtol, gtol, factor, maxfev, evaluations a Jacobian counts for
        type(lane_options) :: options

        options = lane_options(numbers(1), numbers(2), numbers(3), numbers(4), numbers(5), numbers(6))
    end function options_of

end module lane_levels

!> Say how many numbers of work space `fit_models` needs, and how many a fit in a block is remembered by.
subroutine lane_sizes(n, predictors, m, work, slots, block)
    use kinds, only: long, row_block
    use lane_kinds, only: chunk, width, lane_rows, state_slots
    use lm, only: lm_layout, layout, by_caller, folded_by_caller
    implicit none (type, external)
    integer, intent(in) :: n                !! parameters
    integer, intent(in) :: predictors       !! predictors
    integer, intent(in) :: m                !! points of a data set
    integer(long), intent(out) :: work      !! for fit_models
    integer, intent(out) :: slots           !! of a state
    integer, intent(out) :: block           !! for judge_block and commit_block

    type(lm_layout) :: at

    at = layout(m, n, merge(by_caller, folded_by_caller, m <= row_block))
    work = chunk*int((m + lane_rows - 1)/lane_rows, long)*(predictors + 2) + at%size
    slots = state_slots(n)
    block = width*(slots + n*(2*n + 4) + (n + 1)*lane_rows)
end subroutine lane_sizes

!> Fit a compiled model to many data sets.
subroutine fit_models(level, model, n, predictors, m, fits, x_sets, x, y, weight_sets, weights, p0, scaled, diag, &
    options, interrupt, popt, triangle, fnorm, nfev, status, work)
    use kinds, only: wp, long
    use lane_kinds, only: chunk, lane_rows
    use lane_levels, only: fit_queue_baseline, fit_queue_v3, fit_queue_v4, options_of
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: model                            !! which model
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: fits                             !! data sets
    integer, intent(in) :: x_sets                           !! 1: the predictors are shared; or fits
    real(wp), intent(in) :: x(m, predictors, x_sets)        !! predictors
    real(wp), intent(in) :: y(m, fits)                      !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or fits
    real(wp), intent(in) :: weights(m, *)                   !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(in) :: p0(n, fits)                     !! where to start
    integer, intent(in) :: scaled                           !! 1: the scaling is given
    real(wp), intent(in) :: diag(n)                         !! that scaling
    real(wp), intent(in) :: options(6)                      !! see options_of
    integer, intent(inout), volatile :: interrupt(1)        !! leave off once this is not 0
    real(wp), intent(inout) :: popt(n, fits)                !! out: the best points
    real(wp), intent(inout) :: triangle(n, n, fits)         !! out: R of the last Jacobians, zeros below
    real(wp), intent(inout) :: fnorm(fits)                  !! out: norms of the residuals
    integer, intent(inout) :: nfev(fits)                    !! out: evaluations
    integer, intent(inout) :: status(fits)                  !! in: info_running, or no fit is wanted; out: exit codes
    real(wp), intent(inout) :: work(*)                      !! work, as much as lane_sizes says

    integer(long) :: y_lanes, w_lanes, alone

    y_lanes = 1 + chunk*int((m + lane_rows - 1)/lane_rows, long)*predictors
    w_lanes = y_lanes + chunk*int((m + lane_rows - 1)/lane_rows, long)
    alone = w_lanes + chunk*int((m + lane_rows - 1)/lane_rows, long)
    select case (level)
    case default
        call fit_queue_baseline(model, n, predictors, m, fits, x_sets, x, y, weight_sets, weights, p0, scaled, &
            diag, options_of(options), interrupt(1), popt, triangle, fnorm, nfev, status, work, work(y_lanes), &
            work(w_lanes), work(alone))
    case (2)
        call fit_queue_v3(model, n, predictors, m, fits, x_sets, x, y, weight_sets, weights, p0, scaled, diag, &
            options_of(options), interrupt(1), popt, triangle, fnorm, nfev, status, work, work(y_lanes), &
            work(w_lanes), work(alone))
    case (3)
        call fit_queue_v4(model, n, predictors, m, fits, x_sets, x, y, weight_sets, weights, p0, scaled, diag, &
            options_of(options), interrupt(1), popt, triangle, fnorm, nfev, status, work, work(y_lanes), &
            work(w_lanes), work(alone))
    end select
end subroutine fit_models

!> Evaluate a compiled model where a single fit asks, and get the next task and point.
subroutine step_model(level, model, n, predictors, m, x, y, weighted, weights, state, p, task)
    use, intrinsic :: iso_c_binding, only: c_int
    use kinds, only: wp, task_wrong_size
    use lm, only: lm_fit
    use packed_state, only: unpack_fit, work_begins
    use lane_levels, only: step_alone_baseline, step_alone_v3, step_alone_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: model                            !! which model
    integer, intent(in) :: n                                !! its parameters
    integer, intent(in) :: predictors                       !! its predictors
    integer, intent(in) :: m                                !! data points
    real(wp), intent(in) :: x(m, predictors)                !! predictors
    real(wp), intent(in) :: y(m)                            !! observations
    integer, intent(in) :: weighted                         !! 1: with weights
    real(wp), intent(in) :: weights(*)                      !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(inout), target :: state(*)             !! the packed array of a fit begun with `start`
    real(wp), intent(inout) :: p(n)                         !! in: where to evaluate; out: where next, or the solution
    integer, intent(out) :: task                            !! task_residuals, or task_done

    type(lm_fit), pointer :: fit
    integer(c_int), pointer, contiguous :: ipvt(:)

    call unpack_fit(n, state, fit, ipvt)
    task = task_wrong_size
    if (fit%m /= m .or. fit%n /= n) return
    select case (level)
    case default
        call step_alone_baseline(model, n, predictors, m, x, y, weighted, weights, fit, ipvt, &
            state(work_begins(n)), p, task)
    case (2)
        call step_alone_v3(model, n, predictors, m, x, y, weighted, weights, fit, ipvt, state(work_begins(n)), p, &
            task)
    case (3)
        call step_alone_v4(model, n, predictors, m, x, y, weighted, weights, fit, ipvt, state(work_begins(n)), p, &
            task)
    end select
end subroutine step_model

!> Evaluate a compiled model, each point with parameters of its own.
subroutine evaluate_model(level, model, n, predictors, m, x, p, f, with_jacobian, jac)
    use kinds, only: wp
    use lane_levels, only: evaluate_points_baseline, evaluate_points_v3, evaluate_points_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: model                            !! which model
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
        call evaluate_points_baseline(model, n, predictors, m, x, p, f, with_jacobian, jac)
    case (2)
        call evaluate_points_v3(model, n, predictors, m, x, p, f, with_jacobian, jac)
    case (3)
        call evaluate_points_v4(model, n, predictors, m, x, p, f, with_jacobian, jac)
    end select
end subroutine evaluate_model

!> Replace triangles by covariance matrices.
subroutine invert_triangles(level, n, fits, deviation, limit, matrices, dependent, work)
    use, intrinsic :: iso_c_binding, only: c_signed_char
    use kinds, only: wp
    use lane_kinds, only: width
    use lane_levels, only: invert_triangles_baseline, invert_triangles_v3, invert_triangles_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: fits
    real(wp), intent(in) :: deviation(fits)                 !! standard deviations of the residuals
    real(wp), intent(in) :: limit                           !! on the dependence of columns
    real(wp), intent(inout) :: matrices(n, n, fits)         !! in: triangles, zeros below; out: covariance matrices
    integer(c_signed_char), intent(inout) :: dependent(fits)    !! out: 1 where the triangle was left
    real(wp), intent(inout) :: work(width, n, 2*n + 1)      !! work

    select case (level)
    case default
        call invert_triangles_baseline(n, fits, deviation, limit, matrices, dependent, work)
    case (2)
        call invert_triangles_v3(n, fits, deviation, limit, matrices, dependent, work)
    case (3)
        call invert_triangles_v4(n, fits, deviation, limit, matrices, dependent, work)
    end select
end subroutine invert_triangles

!> Judge the values of a model at the trial points of a block of fits.
subroutine judge_values(level, n, m, count, slots, capacity, which, options, values, y, weight_sets, weights, &
    states, points, verdicts, work)
    use kinds, only: wp
    use lane_levels, only: judge_block_baseline, judge_block_v3, judge_block_v4, options_of
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: count                            !! fits that were evaluated
    integer, intent(in) :: slots                            !! numbers in a state
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! the slots of those fits, counted from 0
    real(wp), intent(in) :: options(6)                      !! see options_of
    real(wp), intent(in) :: values(m, count)                !! values of the model
    real(wp), intent(in) :: y(m, capacity)                  !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or as many as slots
    real(wp), intent(in) :: weights(m, *)                   !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(inout) :: states(slots, capacity)      !! the states
    real(wp), intent(inout) :: points(n, capacity)          !! out: where to evaluate next
    integer, intent(inout) :: verdicts(count)               !! out: what became of the fits
    real(wp), intent(inout) :: work(*)                      !! work, as much as lane_sizes says

    select case (level)
    case default
        call judge_block_baseline(n, m, count, slots, capacity, which, options_of(options), values, y, weight_sets, &
            weights, states, points, verdicts, work)
    case (2)
        call judge_block_v3(n, m, count, slots, capacity, which, options_of(options), values, y, weight_sets, &
            weights, states, points, verdicts, work)
    case (3)
        call judge_block_v4(n, m, count, slots, capacity, which, options_of(options), values, y, weight_sets, &
            weights, states, points, verdicts, work)
    end select
end subroutine judge_values

!> Take over the Jacobians at accepted points of a block of fits.
subroutine commit_slopes(level, n, m, count, slots, capacity, which, options, scaled, values, y, weight_sets, &
    weights, slopes, row_stride, fit_stride, column_stride, differenced, h, states, points, verdicts, work)
    use kinds, only: wp, long
    use lane_levels, only: commit_block_baseline, commit_block_v3, commit_block_v4, options_of
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: count                            !! fits that were evaluated
    integer, intent(in) :: slots                            !! numbers in a state
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! the slots of those fits, counted from 0
    real(wp), intent(in) :: options(6)                      !! see options_of
    integer, intent(in) :: scaled                           !! 1: the scaling is the caller's
    real(wp), intent(in) :: values(m, count)                !! values of the model
    real(wp), intent(in) :: y(m, capacity)                  !! observations
    integer, intent(in) :: weight_sets                      !! 0: no weights; 1: shared; or as many as slots
    real(wp), intent(in) :: weights(m, *)                   !! reciprocal standard deviations; 0 leaves a point out
    real(wp), intent(in) :: slopes(*)                       !! derivatives, or values a step further
    integer(long), intent(in) :: row_stride                 !! in slopes, between points
    integer(long), intent(in) :: fit_stride                 !! in slopes, between fits
    integer(long), intent(in) :: column_stride              !! in slopes, between parameters
    integer, intent(in) :: differenced                      !! 1: slopes holds values a step further
    real(wp), intent(in) :: h(n, count)                     !! those steps
    real(wp), intent(inout) :: states(slots, capacity)      !! the states
    real(wp), intent(inout) :: points(n, capacity)          !! out: where to evaluate next
    integer, intent(inout) :: verdicts(count)               !! out: what became of the fits
    real(wp), intent(inout) :: work(*)                      !! work, as much as lane_sizes says

    select case (level)
    case default
        call commit_block_baseline(n, m, count, slots, capacity, which, options_of(options), scaled, values, y, &
            weight_sets, weights, slopes, row_stride, fit_stride, column_stride, differenced, h, states, points, &
            verdicts, work)
    case (2)
        call commit_block_v3(n, m, count, slots, capacity, which, options_of(options), scaled, values, y, &
            weight_sets, weights, slopes, row_stride, fit_stride, column_stride, differenced, h, states, points, &
            verdicts, work)
    case (3)
        call commit_block_v4(n, m, count, slots, capacity, which, options_of(options), scaled, values, y, &
            weight_sets, weights, slopes, row_stride, fit_stride, column_stride, differenced, h, states, points, &
            verdicts, work)
    end select
end subroutine commit_slopes

!> Begin fits in some slots of a block.
subroutine open_states(n, count, slots, capacity, which, p0, scaled, diag, states, points)
    use kinds, only: wp
    use lane_kinds, only: scalars, of_x, of_trial, of_diag
    implicit none (type, external)
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: count                            !! fits to begin
    integer, intent(in) :: slots                            !! numbers in a state
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! the slots to use, counted from 0
    real(wp), intent(in) :: p0(n, count)                    !! where to start
    integer, intent(in) :: scaled                           !! 1: the scaling is given
    real(wp), intent(in) :: diag(n)                         !! that scaling
    real(wp), intent(inout) :: states(slots, capacity)      !! the states
    real(wp), intent(inout) :: points(n, capacity)          !! out: where to evaluate first

    integer :: k, slot

    do k = 1, count
        slot = which(k) + 1
        states(:, slot) = 0.0_wp                            ! stage_start
        states(scalars + (of_x - 1)*n + 1:scalars + of_x*n, slot) = p0(:, k)
        states(scalars + (of_trial - 1)*n + 1:scalars + of_trial*n, slot) = p0(:, k)
        states(scalars + (of_diag - 1)*n + 1:scalars + of_diag*n, slot) = 1.0_wp
        if (scaled == 1) states(scalars + (of_diag - 1)*n + 1:scalars + of_diag*n, slot) = diag
        points(:, slot) = p0(:, k)
    end do
end subroutine open_states

!> Read the results of the fits in some slots of a block.
subroutine read_states(n, count, slots, capacity, which, states, popt, triangle, fnorm, nfev)
    use kinds, only: wp
    use lane_kinds, only: scalars, vectors, of_x, of_fnorm, of_nfev
    implicit none (type, external)
    integer, intent(in) :: n                                !! parameters
    integer, intent(in) :: count                            !! fits to read
    integer, intent(in) :: slots                            !! numbers in a state
    integer, intent(in) :: capacity                         !! slots
    integer, intent(in) :: which(count)                     !! their slots, counted from 0
    real(wp), intent(in) :: states(slots, capacity)         !! the states
    real(wp), intent(inout) :: popt(n, count)               !! out: the best points
    real(wp), intent(inout) :: triangle(n, n, count)        !! out: R of the last Jacobians, zeros below
    real(wp), intent(inout) :: fnorm(count)                 !! out: norms of the residuals
    integer, intent(inout) :: nfev(count)                   !! out: evaluations

    integer :: head, j, k, slot

    do k = 1, count
        slot = which(k) + 1
        popt(:, k) = states(scalars + (of_x - 1)*n + 1:scalars + of_x*n, slot)
        fnorm(k) = states(of_fnorm, slot)
        nfev(k) = int(states(of_nfev, slot))
        triangle(:, :, k) = 0.0_wp
        do j = 1, n
            head = scalars + vectors*n + (j - 1)*n
            triangle(1:j, j, k) = states(head + 1:head + j, slot)
        end do
    end do
end subroutine read_states

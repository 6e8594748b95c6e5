! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Fits with more residuals than are factored at once, against the same fits computed otherwise.
program test_tall
    use kinds, only: wp, eps, row_block
    use fits, only: fit_options, fit_outcome, fit_with_jacobian, fit_by_differences
    use tall_models, only: decay, decay_jacobian, decay_with_jacobian, wave, wave_with_jacobian, y, copies, two_pi
    use matrices, only: random_vector, column_norms, length, is_permutation, greatest
    use testing, only: check, check_at_most, finish, digits_of
    implicit none (type, external)

    call check_repeated_points(32, row_block/32)
    call check_repeated_points((row_block + 1)/3, 3)
    call check_repeated_points(row_block/2 + 1, 2)
    call check_repeated_points(50, 100)
    call check_many_points(5000)
    call check_closed_form(5000)
    call check_leading_dimension(5000)
    call finish()

contains

    !> Data around a known decay, with noise of a thousandth.
    subroutine make_data(points)
        integer, intent(in) :: points

        integer :: i

        if (allocated(y)) deallocate (y)
        allocate (y(points))
        y = [(2.5_wp*exp(-1.3_wp*i/points) + 0.5_wp, i=1, points)] + 1.0e-3_wp*random_vector(points)
    end subroutine make_data

    !> Points repeated weigh as much as each point once with the root of their number.
    !>
    !> Each fit leaves a step unmade of at most sqrt(eps) times the noise, times the condition (34) of the decay.
    subroutine check_repeated_points(points, repeats)
        integer, intent(in) :: points
        integer, intent(in) :: repeats

        real(wp), parameter :: start(3) = [1.0_wp, 1.0_wp, 0.0_wp]
        type(fit_outcome) :: tall, weighted
        character(:), allocatable :: what

        what = digits_of(points)//" points "//digits_of(repeats)//" times"
        call make_data(points)
        copies = 1
        tall = fit_with_jacobian(decay_with_jacobian, points*repeats, start, fit_options(ftol=eps, xtol=eps))
        copies = repeats
        weighted = fit_with_jacobian(decay_with_jacobian, points, start, fit_options(ftol=eps, xtol=eps))
        call check_at_most(greatest(tall%x - weighted%x), 1.0e-9_wp, "lmder, "//what//": difference of x")
        copies = 1
        tall = fit_by_differences(decay, points*repeats, start, fit_options(ftol=eps, xtol=eps))
        call check_at_most(greatest(tall%x - weighted%x), 1.0e-9_wp, "lmdif, "//what//": difference of x")
    end subroutine check_repeated_points

    !> Where the predicted reduction is below eps the cosine between f and J p is below its root, 1.5e-8, and the
    !> last step reduces that by a factor of the size of the noise.
    subroutine check_many_points(m)
        integer, intent(in) :: m

        real(wp), parameter :: start(3) = [1.0_wp, 1.0_wp, 0.0_wp]
        type(fit_outcome) :: fit
        integer :: j

        call make_data(m)
        copies = 1
        fit = fit_with_jacobian(decay_with_jacobian, m, start, fit_options(ftol=eps, xtol=eps))
        ! Predicted reductions of the sum of squares below eps leave cosines below its square root.
        call check_outcome(fit, sqrt(eps), "lmder, decay")
        do j = 1, 3
            call check(all(abs(fit%fjac(j + 1:, j)) <= 0.0_wp), "lmder, decay: nothing below R, column "//digits_of(j))
        end do
        ! The differences tilt the columns of J by as much again.
        fit = fit_by_differences(decay, m, start, fit_options(ftol=eps, xtol=eps))
        call check_outcome(fit, 2*sqrt(eps), "lmdif, decay")
    end subroutine check_many_points

    subroutine check_outcome(fit, cosine, what)
        type(fit_outcome), intent(in) :: fit
        real(wp), intent(in) :: cosine
        character(*), intent(in) :: what

        real(wp) :: jac(size(y), 3), f(size(y))
        integer :: iflag

        iflag = 1
        call decay(size(y), 3, fit%x, f, iflag)
        jac = decay_jacobian(fit%x)
        call check(all(fit%fvec == f), what//": fvec is f(x) to the bit")
        call check(is_permutation(fit%ipvt), what//": ipvt is a permutation")
        call check_at_most(greatest((matmul(fit%fvec, jac))/column_norms(jac)), cosine*length(fit%fvec), &
                           what//": gradient at the minimum")
        ! Parameters are determined to the noise times the condition of the decay over the root of m.
        call check_at_most(greatest(fit%x - [2.5_wp, 1.3_wp, 0.5_wp]), 34.0e-3_wp/sqrt(real(size(y), wp)), &
                           what//": distance from the decay behind the data")
    end subroutine check_outcome

    !> Cosine and sine are orthogonal on equidistant points: the coefficients are inner products with the data.
    !>
    !> They are off by the rounding of J, eps or by differences 1e-7, times the residuals of 1e-3.
    subroutine check_closed_form(m)
        integer, intent(in) :: m

        type(fit_outcome) :: fit
        real(wp) :: expected(2)
        integer :: i

        call make_data(m)
        y = [(0.8_wp*cos(two_pi*i/m) + 1.2_wp*sin(two_pi*i/m), i=1, m)] + 1.0e-3_wp*random_vector(m)
        expected(1) = 2.0_wp/m*sum([(y(i)*cos(two_pi*i/m), i=1, m)])
        expected(2) = 2.0_wp/m*sum([(y(i)*sin(two_pi*i/m), i=1, m)])
        fit = fit_with_jacobian(wave_with_jacobian, m, [1.0_wp, 1.0_wp], fit_options())
        call check(fit%info >= 1 .and. fit%info <= 4, "lmder, wave: solved")
        call check_at_most(greatest(fit%x - expected), 1.0e-13_wp, "lmder, wave: error of the coefficients")
        fit = fit_by_differences(wave, m, [1.0_wp, 1.0_wp], fit_options(ftol=eps))
        call check(fit%info >= 1 .and. fit%info <= 4, "lmdif, wave: solved")
        call check_at_most(greatest(fit%x - expected), 1.0e-10_wp, "lmdif, wave: error of the coefficients")
    end subroutine check_closed_form

    !> The columns of a Jacobian lie ldfjac apart.
    subroutine check_leading_dimension(m)
        integer, intent(in) :: m

        real(wp), parameter :: start(3) = [1.0_wp, 1.0_wp, 0.0_wp]
        type(fit_outcome) :: tight, padded

        call make_data(m)
        copies = 1
        tight = fit_with_jacobian(decay_with_jacobian, m, start, fit_options())
        padded = fit_with_jacobian(decay_with_jacobian, m, start, fit_options(padding=7))
        call check(all(padded%x == tight%x) .and. padded%nfev == tight%nfev, "leading dimension: same fit")
        call check(all(padded%fjac(:m, :) == tight%fjac), "leading dimension: same R")
    end subroutine check_leading_dimension

end program test_tall
